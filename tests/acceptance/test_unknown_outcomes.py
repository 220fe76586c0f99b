"""Nobody knows whether it was done: settled by asking, by a person's word, or by a void that nothing can pass."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db.models import Model

from orchestration.engine import engine
from orchestration.messaging.topology import ORCHESTRATOR
from orchestration.operators.audit.violations import violations
from payments.gateways.sandbox import models as gateway
from payments.gateways.sandbox.selectors import authorisations_by_key
from payments.models import Ledger as PaymentsLedger
from shipping.carriers.sandbox import models as carrier
from shipping.carriers.sandbox.selectors import bookings_by_key
from shipping.models import Ledger as ShippingLedger
from tests.support.forgetful_gateway import ForgetfulGateway
from tests.support.processes import COMPENSATIONS
from tests.support.wait import wait_for

SOON = {"SHOP_SETTLE_AFTER_SECONDS": "0.5"}
ALL_BUT_THE_PIVOT = [ORCHESTRATOR, "inventory", "payments", "shipping", *COMPENSATIONS]
WORD = ("--by", "ada", "--reason", "the gateway forgot", "--evidence", "statement 7")


def resolve(saga_id: UUID, outcome: str, *facts: str) -> None:
    reported = [word for fact in facts for word in ("--fact", fact)]
    call_command("saga", "resolve", str(saga_id), "authorise_payment", "--outcome", outcome, *reported, *WORD, "--yes")


def becomes(shop: Any, saga_id: UUID, step: str, status: str) -> None:
    wait_for(lambda: shop.ledger(saga_id).get(step) == status, seconds=60, what=f"{step} {status}")


@pytest.mark.usefixtures("audited")
@pytest.mark.parametrize(
    ("order", "step", "ledger"),
    [
        ({"payment_method": "tok_timeout_after"}, "authorise_payment", PaymentsLedger),
        ({"line2": "carrier_timeout_after"}, "schedule_shipment", ShippingLedger),
    ],
)
def test_what_was_done_unheard_is_found_out_though_no_saga_asks(
    shop, start_worker, order: Mapping[str, str], step: str, ledger: Any
):
    start_worker(["inventory", "payments", "shipping"], env=SOON)
    saga_id = shop.place(**order)

    becomes(shop, saga_id, step, "done")  # no orchestrator runs that could have it tried again

    assert ledger._default_manager.get(saga_id=saga_id, step=step).history == ["started", "done"]
    start_worker([ORCHESTRATOR, "orders", *COMPENSATIONS])
    assert shop.ended(saga_id) == ["completed"]


@pytest.mark.usefixtures("audited")
def test_a_reversal_done_unheard_is_found_out_though_no_saga_asks(shop, start_worker):
    settling = start_worker(["payments"], env=SOON)
    worker = start_worker([ORCHESTRATOR, "inventory", "shipping", *COMPENSATIONS], app="tests.support.crash",
                          env={"CRASH_AT": "after call payments.refund_payment 1"})  # fmt: skip
    saga_id = shop.place()
    shop.has_done(saga_id, "schedule_shipment")
    engine.cancel_saga(saga_id, now=datetime.now(UTC))
    assert worker.wait_until_dead() < 0

    becomes(shop, saga_id, "authorise_payment", "undone")

    assert settling.is_alive()
    start_worker([ORCHESTRATOR, *COMPENSATIONS])
    assert shop.ended(saga_id) == ["compensated"]


@pytest.mark.usefixtures("audited")
@pytest.mark.parametrize(
    ("order", "step", "arrivals"),
    [
        ({"payment_method": "tok_arrives_late_2"}, "authorise_payment", gateway.LateArrival),
        ({"payment_method": "tok_arrives_late_60"}, "authorise_payment", gateway.LateArrival),
        ({"line2": "carrier_arrives_late_2"}, "schedule_shipment", carrier.LateArrival),
        ({"line2": "carrier_arrives_late_60"}, "schedule_shipment", carrier.LateArrival),
    ],
    ids=lambda value: next(iter(value.values())) if isinstance(value, dict) else "",
)
def test_what_arrives_after_it_was_given_up_comes_to_nothing(
    shop, start_worker, order: Mapping[str, str], step: str, arrivals: type[Model]
):
    start_worker(ALL_BUT_THE_PIVOT, env=SOON)
    saga_id = shop.place(**order)
    shop.reaches(saga_id, f"failed {step}")
    engine.cancel_saga(saga_id, now=datetime.now(UTC))
    assert shop.ended(saga_id) == ["compensated"]

    under_way = arrivals._default_manager.filter(arrives_at__gt=datetime.now(UTC))
    if "60" in next(iter(order.values())):
        assert under_way.update(arrives_at=datetime.now(UTC) - timedelta(seconds=1)) == 1  # a minute later
    wait_for(lambda: not arrivals._default_manager.filter(arrives_at__gt=datetime.now(UTC)).exists(), seconds=10)

    now = datetime.now(UTC)
    assert all(booked.voided for booked in authorisations_by_key(now=now).values())
    assert not any(booked.is_live for booked in bookings_by_key(now=now).values())
    assert not arrivals._default_manager.exists()


@pytest.mark.usefixtures("audited")
def test_what_the_gateway_soon_forgets_is_parked_and_a_person_settles_it(shop, start_worker):
    forgetful = f"{ForgetfulGateway.__module__}.{ForgetfulGateway.__qualname__}"
    day = ForgetfulGateway.key_lifetime.total_seconds()
    start_worker(env={"SHOP_PAYMENT_GATEWAY": forgetful, "SHOP_KEY_MARGIN_SECONDS": str(day)})
    saga_id = shop.place(payment_method="tok_timeout_before")
    shop.reaches(saga_id, "parked authorise_payment")
    assert not gateway.Operation.objects.exists()

    resolve(saga_id, "undone", "status=nothing_held")

    assert shop.ended(saga_id) == ["compensated"]
    assert shop.available() == 1000


def unheard(shop, start_worker, payment_method: str) -> UUID:
    """An order whose authorisation nobody heard of, waiting for its orchestrator."""
    start_worker(["inventory", "payments"])
    saga_id = shop.place(payment_method=payment_method)
    becomes(shop, saga_id, "authorise_payment", "started")
    return saga_id


@pytest.mark.usefixtures("audited")
@pytest.mark.parametrize(
    ("payment_method", "outcome", "end"),
    [("tok_timeout_after", "done", "completed"), ("tok_timeout_before", "not-done", "compensated")],
)
def test_a_person_who_is_right_ends_it_well(shop, start_worker, payment_method: str, outcome: str, end: str):
    saga_id = unheard(shop, start_worker, payment_method)
    if outcome == "done":
        wait_for(gateway.Operation.objects.exists)
    held = [f"authorisation_id={booked.public_id}" for booked in gateway.Operation.objects.all()]

    resolve(saga_id, outcome, *held)
    start_worker([ORCHESTRATOR, "shipping", "orders", *COMPENSATIONS])

    assert shop.ended(saga_id) == [end]


def test_a_person_who_says_not_done_of_what_was_done_is_found_out_by_the_audit(shop, start_worker, workforce):
    saga_id = unheard(shop, start_worker, "tok_timeout_after")
    wait_for(gateway.Operation.objects.exists)

    resolve(saga_id, "not-done")
    start_worker([ORCHESTRATOR, "shipping", "orders", *COMPENSATIONS])

    assert shop.ended(saga_id) == ["compensated"]
    workforce.wait_until_quiet()
    assert any("Q4" in str(violation) for violation in violations())
