"""An audit while sagas are at work raises no false alarm, and still sees what is broken."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

import shipping.models
from orchestration.operators.audit.invariants import sagas
from orchestration.operators.audit.invariants.sagas import SagaFacts
from orchestration.operators.audit.violations import Unfinished, violations
from orchestration.participant.selection import Selection
from tests.integration.operators.audit.courier import Courier
from tests.support.shop import Shop

RUNNING = Unfinished(running=True)
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"line2": "carrier_refuse"},
    {"payment_method": "tok_declined"},
    {"payment_method": "tok_fail_1"},
)


@pytest.mark.parametrize("lost", ["authorise_payment", "schedule_shipment", "place_order", "capture_payment"])
def test_a_saga_halfway_through_is_fine(shop: Shop, courier: Courier, lost: str) -> None:
    courier.loses = lost
    shop.place()
    courier.deliver()
    assert violations(RUNNING) == []


def test_sagas_that_go_on_while_the_books_are_read_are_fine(
    shop: Shop, courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One begins and one ends after orchestration's snapshot and before all others."""
    halfway = shop.place()
    read = sagas.read

    def read_and_let_go_on(chosen: Selection) -> dict[UUID, SagaFacts]:
        with ThreadPoolExecutor(1) as other:
            seen = read(chosen)
            other.submit(go_on).result()
        return seen

    def go_on() -> None:
        shop.place()
        courier.settle(halfway)
        connections.close_all()

    monkeypatch.setattr(sagas, "read", read_and_let_go_on)
    assert violations(RUNNING) == []
    assert shop.saga(halfway).phase == "completed"


def test_auditing_again_and_again_while_sagas_run_finds_nothing(shop: Shop, courier: Courier) -> None:
    def run_sagas() -> None:
        for number in range(40):
            courier.settle(shop.place(**OPTIONS[number % len(OPTIONS)]))
        connections.close_all()

    with ThreadPoolExecutor(1) as background:
        running = background.submit(run_sagas)
        audits = 0
        while not running.done():
            assert violations(RUNNING) == []
            audits += 1
        running.result()
    assert audits > 1
    assert violations() == []


def test_a_compensation_after_the_pivot_of_a_running_saga_is_found(shop: Shop, courier: Courier) -> None:
    courier.loses = "capture_payment"
    shop.place()
    courier.deliver()
    shipping.models.Ledger.objects.update(status="undoing", history=["started", "done", "undoing"])
    assert [(each.invariant, each.message) for each in violations(RUNNING)] == [
        ("A6", "schedule_shipment is undoing although place_order is done.")
    ]
