"""Random changes of orders through all services, with lost messages. The books agree, and nothing is given away."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from inventory.models import Stock
from orchestration.contracts.order_changes import ChangeKind
from orchestration.operators.audit.violations import violations
from orders.api.change_start import SAGAS
from orders.models import Hold, Order
from payments.gateways.sandbox.models import Operation
from tests.integration.operators.audit.courier import Courier
from tests.support import order_changes
from tests.support.shop import Shop

MUG, CUP = "MUG-01", "CUP-01"
BASKET = ((MUG, 3), (CUP, 2), (MUG, 1))
TOTAL = 600
CHANGES = 10


def asked(dice: random.Random) -> tuple[ChangeKind, list[tuple[str, int]], dict[str, Any]]:
    """Choose a change: often one that fits, and seldom the end of the order."""
    kind = dice.choice([*[ChangeKind.DISPATCH, ChangeKind.REFUND, ChangeKind.RETURN] * 4, ChangeKind.CANCEL])
    lines = [(sku, dice.randint(1, 2)) for sku in dice.sample([MUG, CUP], dice.randint(0, 2))]
    fields: dict[str, Any] = {}
    if kind == ChangeKind.REFUND:
        fields["amount_minor"] = dice.choice([None, dice.randint(1, TOTAL // 3)])
    if kind == ChangeKind.DISPATCH:
        fields["parcel_number"] = dice.choice(["", f"P-{dice.random()}"])
    return kind, lines, fields


@pytest.mark.parametrize("seed", range(3))
def test_random_changes_leave_books_that_agree(shop: Shop, courier: Courier, seed: int) -> None:
    dice = random.Random(seed)
    shop.stock(sku=CUP)
    checkout = shop.place(basket=BASKET)
    assert courier.settle(checkout) == "completed"
    ends = []
    for _ in range(CHANGES):
        kind, lines, fields = asked(dice)
        steps = SAGAS[kind].steps
        courier.loses = dice.choice(["", *(step.name for step in steps)])
        saga_id = order_changes.start(checkout, kind, *lines, **fields)
        courier.deliver()
        courier.loses = ""
        ends.append(courier.settle(saga_id))
    courier.send_everything_again()
    courier.deliver()
    assert violations() == []
    assert set(ends) == {"completed", "compensated"}
    assert not Hold.objects.exists()
    assert kept() == TOTAL - Order.objects.get().refunded_minor
    assert dict(units_away()) == dict(units_with_customer())


def kept() -> int:
    """The money of the order that the gateway has not given back."""
    sums = dict.fromkeys(("capture", "refund"), 0)
    for kind, amount_minor in Operation.objects.filter(kind__in=sums).values_list("kind", "amount_minor"):
        sums[kind] += amount_minor
    return sums["capture"] - sums["refund"]


def units_away() -> Iterator[tuple[str, int]]:
    for stock in Stock.objects.order_by("sku"):
        yield stock.sku, 1000 - stock.on_hand


def units_with_customer() -> Iterator[tuple[str, int]]:
    lines = list(Order.objects.get().lines.all())
    for sku in sorted({line.sku for line in lines}):
        yield sku, sum(line.dispatched - line.returned for line in lines if line.sku == sku)
