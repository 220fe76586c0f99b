"""The price of units of an order that is given back: their share of what was paid, and only once for each unit."""

from collections import Counter
from collections.abc import Callable, Mapping

from orchestration.contracts.order_changes import ChangeKind
from orders.models import Order, OrderChange, OrderLine


def units_given_back(order: Order) -> Counter[str]:
    """Return for how many units of each SKU the price was given back: by refunds of lines, or because they came back.

    A unit that was refunded and came back counts twice. So the number may be more than what was ordered.
    """
    units: Counter[str] = Counter()
    for line in order.lines.all():
        units[line.sku] += line.returned
    refunds = order.changes.filter(kind=ChangeKind.REFUND).exclude(state=OrderChange.State.DROPPED)
    for lines in refunds.exclude(lines=[]).values_list("lines", flat=True):
        for line in lines:
            units[line["sku"]] += line["quantity"]
    return units


def to_refund(order: Order, given_back: Mapping[str, int]) -> Callable[[OrderLine], int]:
    """Return a function that returns the units of a line whose price was not given back. First lines come first."""
    left = {line.position: line.quantity - units for line, units in _from_first(order, given_back)}
    return lambda line: left[line.position]


def price_minor(order: Order, first: Mapping[str, int], last: Mapping[str, int]) -> int:
    """Return what was paid for the units numbers `first` to `last` - 1 of each SKU, counted from 0.

    A discount is divided among all units by their prices. It is rounded so that all units cost what was paid.
    """
    listed = sum(line.total_minor for line in order.lines.all())
    price, passed = 0, 0
    for (line, start), (_, end) in zip(_from_first(order, first), _from_first(order, last), strict=True):
        bounds = (passed + line.unit_price_minor * units for units in (start, end))
        before, after = (each * order.total_minor // listed if listed else 0 for each in bounds)
        price += after - before
        passed += line.total_minor
    return price


def _from_first(order: Order, units: Mapping[str, int]) -> list[tuple[OrderLine, int]]:
    """Divide these units of each SKU among the lines, first lines first. Leave out units that were not ordered."""
    left = Counter(units)
    divided = []
    for line in order.lines.all():
        divided.append((line, taken := min(left[line.sku], line.quantity)))
        left[line.sku] -= taken
    return divided
