"""Changes of a placed order: their request, the lock on the order, and their first and last steps at orders."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from orchestration.contracts.command import Action, Compensation, Lock
from orchestration.contracts.values import SkuQuantity

ORDER = Lock("order", by="order_id")


class ChangeKind(StrEnum):
    """The kinds of changes of a placed order."""

    DISPATCH = "dispatch"
    CANCEL = "cancel"
    REFUND = "refund"
    RETURN = "return"


class RefundTo(StrEnum):
    """Where refunded money goes."""

    PAYMENT = "payment"
    """Back the way it was paid: to the card first, the rest to the customer's store credit."""
    CREDIT = "credit"
    """All of it to the customer's store credit."""


@dataclass(frozen=True)
class ChangeRequested:
    """A change of a placed order.

    `checkout_id` is the saga that placed the order: inventory, payments and shipping keep the order's rows under it.
    `lines` are the units to dispatch, refund or take back; empty for all that are left. `amount_minor` is the money to
    give back, in minor units of `currency`; None for the price of the lines, or for all that is left when there are no
    lines. `requested_by` is "customer", or the user name of the member of staff. `return_id` names the return request
    that a return fulfils. `parcel_number` is the carrier's number of a parcel that the checkout did not book.
    """

    order_id: UUID
    customer_id: str
    checkout_id: UUID
    kind: ChangeKind
    lines: tuple[SkuQuantity, ...]
    amount_minor: int | None
    currency: str
    refund_to: RefundTo
    reason: str
    requested_by: str
    return_id: UUID | None = None
    parcel_number: str = ""


@dataclass(frozen=True)
class OpenChange:
    saga_id: UUID
    fence: int
    order_id: UUID
    kind: ChangeKind
    lines: tuple[SkuQuantity, ...]
    amount_minor: int | None
    reason: str
    requested_by: str
    return_id: UUID | None = None


@dataclass(frozen=True)
class ChangeOpened:
    """`change_lines` are the units that the change moves, `refund_minor` the money that it gives back."""

    order_fence: int
    change_lines: tuple[SkuQuantity, ...]
    refund_minor: int


@dataclass(frozen=True)
class DropChange:
    saga_id: UUID
    order_id: UUID


@dataclass(frozen=True)
class ApproveRefund:
    saga_id: UUID
    order_id: UUID
    order_fence: int


@dataclass(frozen=True)
class CloseChange:
    saga_id: UUID
    order_id: UUID


open_change = Action("orders.open_change", request=OpenChange, answer=ChangeOpened, holds=ORDER)
drop_change = Compensation("orders.drop_change", request=DropChange, undoes=open_change)
approve_refund = Action("orders.approve_refund", request=ApproveRefund, under=ORDER)
close_change = Action("orders.close_change", request=CloseChange, releases=ORDER)
