"""Who may reach an order: its customer, and staff with a permission for what they do."""

from collections.abc import Collection
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from rest_framework.request import Request

from orchestration.api.problems import Problem
from orders.api.customers import customer_id
from orders.models import Order
from orders.selectors import order_with_lines

CUSTOMER = "customer"
"""How a change names its author if it is the order's customer. Staff are named by their user names."""
CANCEL_ORDER = "orders.cancel_order"
REFUND_ORDER = "orders.refund_order"
DISPATCH_ORDER = "orders.dispatch_order"
RECEIVE_RETURN = "orders.receive_return"
READ = ("orders.view_order", CANCEL_ORDER, REFUND_ORDER, DISPATCH_ORDER, RECEIVE_RETURN)
"""Permissions one of which is enough for staff to read any order."""


class NoSuchOrder(Problem):
    """You have no such order."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


@dataclass(frozen=True)
class Access:
    """An order with its lines, and the person of this request: "customer", or the user name of the member of staff."""

    order: Order
    person: str

    @property
    def is_staff(self) -> bool:
        return self.person != CUSTOMER


def order_for(
    request: Request, order_id: UUID, permissions: Collection[str] = READ, *, as_staff: bool = False
) -> Access:
    """Return the order if it is the user's own, or if they are staff with one of the permissions.

    With `as_staff`, also the order's own customer needs one of the permissions, and is recorded by user name.

    :raises NoSuchOrder: also when it is another customer's.
    """
    order = order_with_lines(order_id)
    if order is None:
        raise NoSuchOrder
    if order.customer_id == customer_id(request) and not as_staff:
        return Access(order, CUSTOMER)
    return Access(order, staff_name(request, permissions))


def staff_name(request: Request, permissions: Collection[str]) -> str:
    """Return the name under which a change records this member of staff, who needs one of the permissions.

    :raises NoSuchOrder: when they have none.
    """
    if not (request.user.is_staff and any(request.user.has_perm(each) for each in permissions)):
        raise NoSuchOrder
    return recorded_name(request.user.get_username())


def recorded_name(user_name: str) -> str:
    """Return the name under which a change records this member of staff. It is never that of the customer."""
    return f"{user_name} (staff)" if user_name == CUSTOMER else user_name
