"""Placed orders, and requests to change them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from orchestration.contracts.order_changes import ChangeKind, CloseChange, DropChange, OpenChange
from orchestration.contracts.orders import PlaceOrder
from orchestration.contracts.values import Address, Line, SkuQuantity
from orders import changes, services
from orders.models import Order
from orders.selectors import order_with_lines

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def placed(*lines: Line, customer_id: str = "7", discount_minor: int = 0) -> UUID:
    """Place an order with these lines, by default two mugs at 450 and a cup at 100. Return its id."""
    lines = lines or (Line("MUG", 2, 450), Line("CUP", 1, 100))
    request = PlaceOrder(
        saga_id=uuid4(),
        order_id=uuid4(),
        customer_id=customer_id,
        idempotency_key=str(uuid4()),
        lines=lines,
        total_minor=sum(line.total_minor for line in lines) - discount_minor,
        discount_minor=discount_minor,
        currency="GBP",
        shipping_address=Address("Ada", "1 Lane", "London", "N1", "GB"),
        placed_at=NOON,
        authorisation_id="auth-1",
        tracking_number="T-1",
    )
    with transaction.atomic(using="orders"):
        services.place_order([request])
    return request.order_id


def change_of(order_id: UUID, kind: ChangeKind, *lines: tuple[str, int], **fields: Any) -> OpenChange:
    """Return the request to open a change of these units."""
    asked: dict[str, Any] = {"saga_id": uuid4(), "fence": 1, "amount_minor": None, "return_id": None, **fields}
    units = tuple(SkuQuantity(*line) for line in lines)
    return OpenChange(order_id=order_id, kind=kind, lines=units, reason="why", requested_by="kim", **asked)


def opened(order_id: UUID, kind: ChangeKind, *lines: tuple[str, int], **fields: Any) -> OpenChange:
    """Open such a change. Return its request."""
    request = change_of(order_id, kind, *lines, **fields)
    with transaction.atomic(using="orders"):
        changes.open_change(request)
    return request


def dropped(request: OpenChange) -> None:
    """Drop the change."""
    with transaction.atomic(using="orders"):
        changes.drop_change(DropChange(request.saga_id, request.order_id))


def closed(request: OpenChange) -> None:
    """Close the change."""
    with transaction.atomic(using="orders"):
        changes.close_change(CloseChange(request.saga_id, request.order_id))


def changed(order_id: UUID, kind: ChangeKind, *lines: tuple[str, int], **fields: Any) -> OpenChange:
    """Open and close such a change. Return its request."""
    request = opened(order_id, kind, *lines, **fields)
    closed(request)
    return request


def read(order_id: UUID) -> Order:
    """Read the order with its lines."""
    order = order_with_lines(order_id)
    assert order is not None
    return order
