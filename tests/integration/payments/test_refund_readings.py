"""How a refund ends is read at the gateway: it stays pending, succeeds, or fails late."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestration.participant.outcomes import Refused
from orchestration.participant.participant import Participant
from orchestration.participant.reconciliation import ReconciliationRound, reconcile_open_rows
from payments import refund_readings
from payments.gateways.port import GatewayDown
from payments.gateways.sandbox.gateway import SandboxGateway
from payments.models import Refund
from payments.refund_rows import MAY_FAIL_FOR, READ_AFTER
from tests.support.clock import Clock
from tests.support.paid_orders import TOTAL, paid
from tests.support.threads import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["payments", "gateway"]),
    pytest.mark.usefixtures("at_the_gateway"),
]

SETTLED = ReconciliationRound(settled=1)
UNKNOWN = ReconciliationRound(unknown=1)
NOTHING = ReconciliationRound()


def later(age: timedelta = timedelta(minutes=2)) -> None:
    """Let the refund be so old, and its next reading be due."""
    now = datetime.now(UTC)
    Refund.objects.update(requested_at=now - age, read_at=now - timedelta(seconds=1))


def next_reading() -> timedelta | None:
    refund = Refund.objects.get()
    return refund.read_at - refund.requested_at if refund.read_at else None


def test_a_pending_refund_is_read_until_it_has_succeeded(participant: Participant, clock: Clock) -> None:
    order = paid(participant, "tok_refund_pending_60")
    order.give_back(500)
    assert reconcile_open_rows(participant) == NOTHING, "its first reading comes later"
    later()
    assert reconcile_open_rows(participant) == UNKNOWN
    clock.sleep(60)
    later()
    assert reconcile_open_rows(participant) == SETTLED
    assert (Refund.objects.get().status, order.payment.refunded_minor) == ("succeeded", 500)


@pytest.mark.parametrize("token", ["tok_refund_pending_fails_60", "tok_refund_fails_late_60"])
def test_a_refund_that_fails_late_no_longer_counts_and_may_be_given_back_again(
    participant: Participant, gateway: SandboxGateway, clock: Clock, token: str
) -> None:
    order = paid(participant, token)
    order.give_back(TOTAL)
    assert isinstance(order.give_back(1), Refused)
    clock.sleep(60)
    later()
    assert reconcile_open_rows(participant) == SETTLED
    assert (Refund.objects.get().status, next_reading()) == ("failed", None)
    assert (order.payment.status, order.payment.refunded_minor) == ("captured", 0)
    order.give_back(TOTAL)
    assert order.payment.status == gateway.look_up(order.payment.authorisation_id).status == "refunded"


def test_a_refund_that_fails_is_taken_off_once_however_many_processes_read_it(
    participant: Participant, clock: Clock
) -> None:
    order = paid(participant, "tok_refund_fails_late_60")
    order.give_back(500)
    order.give_back(TOTAL - 500)
    clock.sleep(60)
    failed = Refund.objects.select_related("payment").get(amount_minor=500)
    at_once(8, lambda _: refund_readings.read(failed, datetime.now(UTC)))
    assert order.payment.refunded_minor == TOTAL - 500


def test_readings_become_rarer_as_a_refund_grows_older_and_end(participant: Participant) -> None:
    paid(participant).give_back(500)
    refund = Refund.objects.get()
    assert refund.read_at is not None
    assert abs(refund.read_at - refund.changed_at - READ_AFTER) < timedelta(seconds=1)
    later(timedelta(hours=3))
    assert reconcile_open_rows(participant) == NOTHING
    assert next_reading() is not None
    assert abs(next_reading() - timedelta(hours=6)) < timedelta(minutes=1)  # type: ignore[operator]
    later(MAY_FAIL_FOR + timedelta(hours=1))
    reconcile_open_rows(participant)
    assert next_reading() is None


def test_a_refund_that_stays_pending_is_read_for_ever(participant: Participant) -> None:
    paid(participant, "tok_refund_pending_60").give_back(500)
    later(2 * MAY_FAIL_FOR)
    assert reconcile_open_rows(participant) == UNKNOWN
    assert next_reading() is not None


def test_a_refund_that_the_gateway_does_not_show_stays_as_it_is(participant: Participant) -> None:
    paid(participant).give_back(500)
    Refund.objects.update(gateway_id="re_7")
    later()
    assert reconcile_open_rows(participant) == UNKNOWN
    assert Refund.objects.get().status == "succeeded"


def test_one_reading_that_fails_does_not_hold_up_the_others(
    participant: Participant, gateway: SandboxGateway, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ill, well = paid(participant), paid(participant, "tok_refund_pending_60")
    for order in (ill, well):
        order.give_back(500)
    clock.sleep(60)
    later()
    look_up = gateway.look_up

    def sometimes(authorisation_id: str) -> Any:
        if authorisation_id == ill.payment.authorisation_id:
            raise GatewayDown
        return look_up(authorisation_id)

    monkeypatch.setattr(gateway, "look_up", sometimes)
    assert reconcile_open_rows(participant) == ReconciliationRound(settled=1, failed=1)
    assert reconcile_open_rows(participant) == NOTHING, "it is read again later, not in every round"


def test_nothing_is_read_at_a_gateway_that_is_down(
    participant: Participant, gateway: SandboxGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = paid(participant)
    for _ in range(4):
        order.give_back(100)
    later()

    def down(_: str) -> Any:
        raise GatewayDown

    monkeypatch.setattr(gateway, "look_up", down)
    assert reconcile_open_rows(participant) == ReconciliationRound(failed=3, unknown=1)
