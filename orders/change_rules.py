"""What a change of an order moves and gives back, and why one is refused: decided from the rows of the order."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orchestration.contracts.order_changes import ChangeKind
from orchestration.contracts.values import SkuQuantity
from orchestration.participant.refusals import Refusal
from orders.models import Order, OrderLine, ReturnRequest
from orders.refund_prices import price_minor, to_refund, units_given_back

Moves = tuple[tuple[OrderLine, int], ...]
"""Pairs of an order line and the number of its units that move."""


class OrderCancelled(Refusal):
    """The order is cancelled."""

    code = "order_cancelled"


class AlreadyDispatched(Refusal):
    """The order is dispatched already, in part or in whole."""

    code = "already_dispatched"


class NothingLeft(Refusal):
    """Nothing of the order is left for such a change."""

    code = "nothing_left"


class UnknownSku(Refusal):
    """The order has no line with this SKU."""

    code = "unknown_sku"


class QuantityExceedsOrdered(Refusal):
    """The order has fewer units of this SKU for such a change."""

    code = "quantity_exceeds_ordered"


class RefundExceedsPaid(Refusal):
    """This is more than what is left of the order's money."""

    code = "refund_exceeds_paid"


class UnknownReturn(Refusal):
    """The order has no such return request."""

    code = "unknown_return"


class ReturnEnded(Refusal):
    """The return request has ended."""

    code = "too_late"


@dataclass(frozen=True)
class PlannedChange:
    """The units of each order line that a change moves, and the money that it gives back."""

    moves: Moves
    refund_minor: int

    @property
    def lines(self) -> tuple[SkuQuantity, ...]:
        """The moved units, each SKU once."""
        units: Counter[str] = Counter()
        for line, quantity in self.moves:
            units[line.sku] += quantity
        return tuple(SkuQuantity(sku, quantity) for sku, quantity in units.items())


def plan_change(
    order: Order, kind: ChangeKind, lines: Sequence[SkuQuantity], amount_minor: int | None
) -> PlannedChange:
    """Return what such a change of the order moves and gives back. `lines` and `amount_minor`: as in `ChangeRequested`.

    :raises Refusal: one of this module, when the order does not allow it.
    """
    if order.status == Order.Status.CANCELLED:
        raise OrderCancelled
    match kind:
        case ChangeKind.DISPATCH:
            return PlannedChange(_dispatched(order, lines), 0)
        case ChangeKind.CANCEL:
            return _cancelled(order)
        case ChangeKind.REFUND:
            return _refunded(order, lines, amount_minor)
        case ChangeKind.RETURN:
            return _returned(order, lines, amount_minor)


def check_return(request: ReturnRequest | None, order: Order, now: datetime) -> None:
    """Check that the parcel of this return request may be received now.

    :raises Refusal: `UnknownReturn` or `ReturnEnded`.
    """
    if request is None or request.order_id != order.pk:
        raise UnknownReturn
    if (state := request.state_at(now)) != ReturnRequest.State.REQUESTED:
        raise ReturnEnded(state=str(state), expires_at=request.expires_at.isoformat())


def allocate(wanted: Iterable[SkuQuantity], lines: Iterable[OrderLine], left: Callable[[OrderLine], int]) -> Moves:
    """Divide the wanted units among the order lines of their SKU, first lines first.

    `left` returns how many units of a line may still be taken.

    :raises Refusal: `UnknownSku` or `QuantityExceedsOrdered`.
    """
    lines = list(lines)
    units = _units_by_sku(wanted, lines, left)
    moves = []
    for line in lines:
        if taken := min(units.get(line.sku, 0), left(line)):
            units[line.sku] -= taken
            moves.append((line, taken))
    return tuple(moves)


def status_of(lines: Iterable[OrderLine]) -> Order.Status:
    """Return the status of an order that is not cancelled, by the units of its lines that were dispatched."""
    lines = list(lines)
    if all(line.dispatched == line.quantity for line in lines):
        return Order.Status.DISPATCHED
    return Order.Status.PARTLY_DISPATCHED if any(line.dispatched for line in lines) else Order.Status.CONFIRMED


def to_dispatch(line: OrderLine) -> int:
    """Return the units of the line that were not dispatched."""
    return line.quantity - line.dispatched


def to_return(line: OrderLine) -> int:
    """Return the dispatched units of the line that did not come back."""
    return line.dispatched - line.returned


def _dispatched(order: Order, lines: Sequence[SkuQuantity]) -> Moves:
    moves = _moved(order, lines, to_dispatch)
    if not moves:
        raise NothingLeft
    return moves


def _cancelled(order: Order) -> PlannedChange:
    if any(line.dispatched for line in order.lines.all()):
        raise AlreadyDispatched
    return PlannedChange(_moved(order, (), _ordered), order.refundable_minor)


def _refunded(order: Order, lines: Sequence[SkuQuantity], amount_minor: int | None) -> PlannedChange:
    """Plan a refund. With lines, it is of units whose price was not given back before."""
    given_back = units_given_back(order) if lines else Counter[str]()
    moves = allocate(lines, order.lines.all(), to_refund(order, given_back))
    if amount_minor is None:
        amount_minor = _price_minor(order, moves, given_back) if moves else order.refundable_minor
    if amount_minor < 1:
        raise NothingLeft
    return PlannedChange(moves, _affordable(order, amount_minor))


def _returned(order: Order, lines: Sequence[SkuQuantity], amount_minor: int | None) -> PlannedChange:
    """Plan a return. The units are taken back also when their price was refunded before, but then for no money."""
    moves = _moved(order, lines, to_return)
    if not moves:
        raise NothingLeft
    if amount_minor is None:
        amount_minor = min(_price_minor(order, moves, units_given_back(order)), order.refundable_minor)
    return PlannedChange(moves, _affordable(order, amount_minor))


def _price_minor(order: Order, moves: Moves, given_back: Counter[str]) -> int:
    moved: Counter[str] = Counter()
    for line, units in moves:
        moved[line.sku] += units
    return price_minor(order, given_back, given_back + moved)


def _affordable(order: Order, amount_minor: int) -> int:
    if amount_minor > order.refundable_minor:
        raise RefundExceedsPaid(refundable=order.refundable_minor)
    return amount_minor


def _moved(order: Order, lines: Sequence[SkuQuantity], left: Callable[[OrderLine], int]) -> Moves:
    """Divide the units among the order's lines. No units: all that are left."""
    ordered = order.lines.all()
    return allocate(lines or [SkuQuantity(line.sku, units) for line in ordered if (units := left(line))], ordered, left)


def _ordered(line: OrderLine) -> int:
    return line.quantity


def _units_by_sku(
    wanted: Iterable[SkuQuantity], lines: Sequence[OrderLine], left: Callable[[OrderLine], int]
) -> dict[str, int]:
    there: Counter[str] = Counter()
    for line in lines:
        there[line.sku] += left(line)
    units: Counter[str] = Counter()
    for each in wanted:
        units[each.sku] += each.quantity
    _check_units(units, there)
    return dict(units)


def _check_units(units: Mapping[str, int], there: Mapping[str, int]) -> None:
    for sku, quantity in units.items():
        if sku not in there:
            raise UnknownSku(sku=sku)
        if not 0 < quantity <= there[sku]:
            raise QuantityExceedsOrdered(sku=sku, wanted=quantity, left=there[sku])
