"""Random sequences of changes of one order, against a model that counts units one by one."""

from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.contracts.order_changes import ChangeKind
from orchestration.contracts.values import Line
from orchestration.participant.refusals import Refusal
from orders import changes
from tests.support.placed_orders import change_of, closed, dropped, placed, read

pytestmark = pytest.mark.django_db(transaction=True, databases=["orders"])

ORDERED = (Line("A", 2, 300), Line("B", 1, 0), Line("A", 1, 200))
TOTAL = 800
PRICES = {"A": [300, 300, 200], "B": [0]}


@dataclass
class Model:
    """One order: the units that left, came back, and were refunded by a refund of lines; the money that went back."""

    out: Counter[str] = field(default_factory=Counter)
    back: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    refunded: int = 0
    cancelled: bool = False

    def asked(self, kind: ChangeKind, lines: dict[str, int]) -> dict[str, int]:
        """Return the units that are moved. No units: all that are left."""
        left = {
            ChangeKind.DISPATCH: lambda sku: len(PRICES[sku]) - self.out[sku],
            ChangeKind.RETURN: lambda sku: self.out[sku] - self.back[sku],
            ChangeKind.REFUND: lambda sku: len(PRICES[sku]) - self.back[sku] - self.named[sku],
        }.get(kind, lambda sku: len(PRICES[sku]))
        if any(units > left(sku) for sku, units in lines.items()):
            raise ValueError
        return lines or {sku: left(sku) for sku in PRICES if left(sku)}

    def change(self, kind: ChangeKind, lines: dict[str, int], amount: int | None) -> "Model":
        """Return the order after the change.

        :raises ValueError: when it must be refused.
        """
        after = Model(self.out.copy(), self.back.copy(), self.named.copy(), self.refunded, self.cancelled)
        if self.cancelled:
            raise ValueError
        if kind == ChangeKind.CANCEL:
            if self.out.total():
                raise ValueError
            after.cancelled, after.refunded = True, TOTAL
            return after
        units = self.asked(kind, lines)
        if kind == ChangeKind.REFUND:
            after.named.update(lines)
            price = self.price_until(after) if lines else TOTAL - self.refunded
            after.refunded += price if amount is None else amount
            if not self.refunded < after.refunded <= TOTAL:
                raise ValueError
            return after
        if not units:
            raise ValueError
        (after.out if kind == ChangeKind.DISPATCH else after.back).update(units)
        if kind == ChangeKind.RETURN:
            price = self.price_until(after)
            after.refunded += min(price, TOTAL - self.refunded) if amount is None else amount
            if after.refunded > TOTAL:
                raise ValueError
        return after

    def price_until(self, after: "Model") -> int:
        """Return the price of the units that have given theirs back since."""
        return sum(
            sum(prices[self.back[sku] + self.named[sku] : after.back[sku] + after.named[sku]])
            for sku, prices in PRICES.items()
        )

    @property
    def status(self) -> str:
        if self.cancelled:
            return "cancelled"
        return {0: "confirmed", 4: "dispatched"}.get(self.out.total(), "partly_dispatched")


def seen(order_id: UUID) -> Model:
    order = read(order_id)
    model = Model(refunded=order.refunded_minor, cancelled=order.status == "cancelled")
    for line in order.lines.all():
        assert 0 <= line.returned <= line.dispatched <= line.quantity
        model.out[line.sku] += line.dispatched
        model.back[line.sku] += line.returned
    assert 0 <= order.refunded_minor <= order.total_minor
    assert order.status == model.status
    return model


an_amount = st.none() | st.integers(1, TOTAL)
some_units = st.dictionaries(st.sampled_from("AB"), st.integers(1, 4))
kinds = st.sampled_from(list(ChangeKind))
steps = st.lists(st.tuples(kinds, some_units, an_amount, st.booleans()), max_size=12)


@settings(deadline=None, max_examples=60)
@given(steps)
def test_an_order_never_gives_back_more_than_it_cost_nor_sends_more_than_was_ordered(
    steps: list[tuple[ChangeKind, dict[str, int], int | None, bool]],
) -> None:
    order_id, model = placed(*ORDERED), Model()
    for fence, (kind, lines, amount, succeeds) in enumerate(steps):
        request = change_of(order_id, kind, *lines.items(), amount_minor=amount, fence=fence)
        try:
            after = model.change(kind, lines, amount)
        except ValueError:
            with pytest.raises(Refusal), transaction.atomic(using="orders"):
                changes.open_change(request)
        else:
            with transaction.atomic(using="orders"):
                changes.open_change(request)
            if succeeds:
                closed(request)
                model = after
            else:
                dropped(request)
        found = seen(order_id)
        assert (+found.out, +found.back, found.refunded, found.cancelled) == (
            +model.out,
            +model.back,
            model.refunded,
            model.cancelled,
        )
