"""Whatever happens to sagas, the books agree afterwards."""

from datetime import UTC, datetime

import pytest

from orchestration.db import clocks
from orchestration.engine import engine, recovery, store
from orchestration.operators.audit import portions
from orchestration.operators.audit.violations import Unfinished, audit, violations
from orchestration.protocol.events import DeadlinePassed, StepFailed
from orchestration.protocol.states import Operation
from tests.integration.operators.audit.courier import Courier
from tests.support import deadlock
from tests.support.coupons import coupon
from tests.support.shop import Shop
from tests.support.wallets import granted


@pytest.mark.parametrize(
    ("payment_method", "line2", "phase"),
    [
        ("tok_ok", "", "completed"),
        ("tok_declined", "", "compensated"),
        ("tok_ok", "carrier_refuse", "compensated"),
        ("tok_fail_1", "carrier_fail_1", "completed"),
        ("tok_capture_fail_1", "", "completed"),
        ("tok_void_fail_1", "carrier_refuse", "compensated"),
    ],
)
def test_books_agree_however_it_ended(
    shop: Shop, courier: Courier, payment_method: str, line2: str, phase: str
) -> None:
    saga_id = shop.place(payment_method=payment_method, line2=line2)
    assert courier.settle(saga_id) == phase
    assert violations() == []


def test_books_agree_when_there_is_not_enough(shop: Shop, courier: Courier) -> None:
    assert courier.settle(shop.place(basket=[(shop.sku, 1001)])) == "compensated"
    assert violations() == []


def test_books_agree_when_one_sku_is_on_two_lines(shop: Shop, courier: Courier) -> None:
    assert courier.settle(shop.place(basket=[(shop.sku, 1), (shop.sku, 2)])) == "completed"
    assert violations() == []


def test_books_agree_when_every_message_comes_again(shop: Shop, courier: Courier) -> None:
    sagas = [shop.place(), shop.place(line2="carrier_refuse"), shop.place(payment_method="tok_declined")]
    courier.deliver()
    courier.send_everything_again()
    courier.deliver()
    assert [shop.saga(saga_id).phase for saga_id in sagas] == ["completed", "compensated", "compensated"]
    assert violations() == []


def test_books_agree_when_a_checkout_was_tried_again_after_a_deadlock(shop: Shop, courier: Courier) -> None:
    victim = shop.place()
    courier.lose_everything()
    deadlock.give_up(victim)
    assert courier.settle(victim) == "compensated"
    successor = store.find_successors([victim])[victim]
    recovery.run_once(clock=lambda: successor.due_at or successor.created_at)
    assert courier.settle(successor.pk) == "completed"
    assert violations() == []
    assert portions.totals(at=clocks.now()).sightings == []


def test_books_agree_when_compensation_overtakes_the_chain(shop: Shop, courier: Courier) -> None:
    saga_id = shop.place()
    late = list(courier.waiting)
    courier.lose_everything()
    engine.apply(saga_id, DeadlinePassed(), now=datetime.now(UTC))
    assert courier.settle(saga_id) == "compensated"
    courier.waiting.extend(late)
    courier.deliver()
    assert set(shop.ledger(saga_id).values()) == {"barred"}
    assert violations() == []


def test_a_compensation_that_failed_may_be_overtaken(shop: Shop, courier: Courier) -> None:
    courier.loses = "place_order"
    saga_id = shop.place(line2="carrier_cancel_fail_1")
    courier.deliver()
    engine.apply(saga_id, DeadlinePassed(), now=datetime.now(UTC))
    assert courier.settle(saga_id) == "compensated"
    undone = [line for line in shop.story(saga_id) if line.startswith("undone")]
    assert undone == ["undone authorise_payment", "undone reserve_stock", "undone schedule_shipment"]
    assert violations() == []


def test_a_parked_saga_is_expected_only_when_reported_so(shop: Shop, courier: Courier) -> None:
    courier.loses = "capture_payment"
    saga_id = shop.place()
    courier.deliver()
    permanent = StepFailed("capture_payment", Operation.ACTION, shop.saga(saga_id).token, {}, permanent=True)
    engine.apply(saga_id, permanent, now=datetime.now(UTC))
    assert shop.saga(saga_id).parked
    assert [each.invariant for each in violations()] == ["Q1"]
    assert violations(Unfinished(parked=True)) == []
    assert violations(Unfinished(these=[saga_id])) == []
    assert violations(Unfinished(running=True)) == []


def test_everything_is_looked_at(shop: Shop, courier: Courier) -> None:
    coupon()
    granted("7", 100)
    for saga_id in (shop.place(), shop.place(line2="carrier_refuse")):
        courier.settle(saga_id)
    findings = audit()
    assert findings.ok
    of_locks = {f"L{number}" for number in range(1, 7)}  # see test_lock_violations.py: no lock is held here
    assert all(count for invariant, count in findings.checked.items() if invariant not in of_locks), findings.checked
    assert findings.not_made == []
