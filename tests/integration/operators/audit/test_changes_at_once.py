"""Changes of one order at the same moment, each in a thread with its own broker. After each race the books agree.

CHANGE_ROUNDS sets the number of races: a thousand have been run.
"""

import os
import threading
from collections import Counter
from functools import partial
from itertools import cycle, islice, permutations

import pytest

from inventory.models import Stock
from orchestration.contracts.order_changes import ChangeKind
from orchestration.engine import dispatch
from orchestration.models import SagaInstance
from orchestration.operators.audit.violations import violations
from orders.models import Hold, Order, Turn
from payments.gateways.sandbox.models import Operation
from tests.integration.operators.audit.courier import Courier
from tests.support import order_changes
from tests.support.crowd import at_once
from tests.support.shop import Shop

ROUNDS = int(os.environ.get("CHANGE_ROUNDS", "12"))
CANCEL, REFUND, DISPATCH = ChangeKind.CANCEL, ChangeKind.REFUND, ChangeKind.DISPATCH


class Couriers(threading.local):
    """A courier for each thread."""

    def __init__(self) -> None:
        self.own = Courier()


@pytest.fixture
def couriers(monkeypatch: pytest.MonkeyPatch) -> Couriers:
    couriers = Couriers()
    monkeypatch.setattr(dispatch, "send", lambda instance, command: couriers.own.send(instance, command))
    return couriers


def placed(shop: Shop, couriers: Couriers) -> Order:
    """Place an order of two mugs, at 100 each."""
    checkout = shop.place(basket=[(shop.sku, 2)])
    assert couriers.own.settle(checkout) == "completed"
    return Order.objects.get(saga_id=checkout)


def changed(order: Order, couriers: Couriers, kind: ChangeKind, amount_minor: int | None = None) -> str:
    """Make a change. Return how it ended: "completed", or the code of its refusal."""
    saga_id = order_changes.start(order.saga_id, kind, amount_minor=amount_minor)
    phase = couriers.own.settle(saga_id)
    failure = SagaInstance.objects.get(pk=saga_id).failure
    return failure["code"] if phase == "compensated" and failure else phase


def given_back(order: Order) -> int:
    made = Operation.objects.filter(kind="refund", authorisation__reference=str(order.pk))
    return sum(made.values_list("amount_minor", flat=True))


def test_of_a_cancellation_and_a_dispatch_at_the_same_moment_one_wins(shop: Shop, couriers: Couriers) -> None:
    ends = Counter[tuple[str, ...]]()
    for kinds in islice(cycle(permutations((CANCEL, REFUND, DISPATCH))), ROUNDS):
        order = placed(shop, couriers)
        amounts = {REFUND: 50}
        results = at_once([partial(changed, order, couriers, kind, amounts.get(kind)) for kind in kinds])
        end = dict(zip(kinds, results, strict=True))
        order.refresh_from_db()
        if end[CANCEL] == "completed":
            assert (end[DISPATCH], order.status, order.refunded_minor) == ("order_cancelled", "cancelled", 200)
        else:
            assert (end[CANCEL], end[DISPATCH]) == ("already_dispatched", "completed")
            assert (order.status, order.refunded_minor) == ("dispatched", 50)
        assert end[REFUND] in ("completed", "order_cancelled")
        ends[tuple(end[kind] for kind in (CANCEL, REFUND, DISPATCH))] += 1
    assert violations() == []
    assert not Hold.objects.exists()
    assert not Turn.objects.exists()
    stock = Stock.objects.get(sku=shop.sku)
    dispatched = sum(times for (_, _, end), times in ends.items() if end == "completed")
    assert (stock.on_hand, stock.reserved) == (1000 - 2 * dispatched, 0)


def test_twenty_refunds_at_the_same_moment_give_back_the_last_penny_and_no_more(shop: Shop, couriers: Couriers) -> None:
    order = placed(shop, couriers)
    results = at_once([partial(changed, order, couriers, REFUND, 19)] * 20)
    assert Counter(results) == {"completed": 10, "refund_exceeds_paid": 10}
    assert changed(order, couriers, REFUND) == "completed"
    assert (Order.objects.get().refunded_minor, given_back(order)) == (200, 200)
    assert violations() == []
