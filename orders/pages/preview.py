"""The sentences that say what a change of an order will do."""

from collections.abc import Iterator

from orchestration.contracts.order_changes import ChangeKind, RefundTo
from orchestration.text.formatting import money
from orders.api.change_bodies import ChangeAsked
from orders.change_rules import PlannedChange
from orders.models import Order

_TO = {
    RefundTo.PAYMENT: "is given back the way it was paid. This cannot be undone.",
    RefundTo.CREDIT: "is added to the customer's store credit.",
}


def consequences(order: Order, asked: ChangeAsked, planned: PlannedChange) -> list[str]:
    """Return what the change does, in the order of events."""
    return [*_units(order, asked, planned), *_money(order, asked, planned)]


def units_of(planned: PlannedChange) -> str:
    """Return the units of the change, such as "2 of MUG-01, 1 of TEA-01"."""
    return ", ".join(f"{line.quantity} of {line.sku}" for line in planned.lines)


def _units(order: Order, asked: ChangeAsked, planned: PlannedChange) -> Iterator[str]:
    units = units_of(planned)
    match asked.kind:
        case ChangeKind.DISPATCH:
            number = asked.parcel_number or order.tracking_number or "without a number"
            yield f"Parcel {number} is recorded as handed over to the carrier. The order cannot be cancelled any more."
            yield f"{units} leave the warehouse."
        case ChangeKind.CANCEL:
            yield "The parcel is stopped, and cancelled at the carrier if one was booked."
            yield f"{units} can be sold again."
            yield "The order becomes cancelled. It cannot be changed any more."
        case ChangeKind.RETURN:
            yield f"{units} are back in the warehouse and can be sold again."
        case ChangeKind.REFUND:
            yield f"It is the price of {units}. No units move." if planned.moves else "No units move."


def _money(order: Order, asked: ChangeAsked, planned: PlannedChange) -> Iterator[str]:
    if asked.kind is ChangeKind.DISPATCH:
        return
    if not planned.refund_minor:
        yield "No money is given back: nothing is left to give back."
        return
    left = order.refundable_minor - planned.refund_minor
    yield f"{money(planned.refund_minor, order.currency)} {_TO[asked.refund_to]}"
    yield f"After that, {money(left, order.currency)} can still be given back."
