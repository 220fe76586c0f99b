"""Writes of the orders service."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from orchestration.contracts.orders import ConfirmNoOrder, PlaceOrder
from orchestration.db.sql import insert_all
from orchestration.participant.refusals import Refusal
from orders.models import Order, OrderLine, Product


class OrderStands(Refusal):
    """The order exists, so what is held for it is not a leftover."""

    code = "order_stands"


class AlreadyPlaced(Refusal):
    """An order was already placed with this Idempotency-Key."""

    code = "already_placed"


def place_order(requests: Sequence[PlaceOrder]) -> list[None]:
    """Insert the orders, confirmed, with their lines at the prices of the request."""
    orders = [
        Order(
            id=request.order_id,
            saga_id=request.saga_id,
            customer_id=request.customer_id,
            idempotency_key=request.idempotency_key,
            status=Order.Status.CONFIRMED,
            total_minor=request.total_minor,
            currency=request.currency,
            shipping_address=asdict(request.shipping_address) if request.shipping_address else None,
            authorisation_id=request.authorisation_id,
            tracking_number=request.tracking_number,
            coupon=request.coupon,
            discount_minor=request.discount_minor,
            credit_minor=request.credit_minor,
            placed_at=request.placed_at,
        )
        for request in requests
    ]
    lines = [
        OrderLine(
            order_id=request.order_id,
            position=position,
            sku=line.sku,
            quantity=line.quantity,
            unit_price_minor=line.unit_price_minor,
        )
        for request in requests
        for position, line in enumerate(request.lines)
    ]
    insert_all(orders, "orders")
    insert_all(lines, "orders")
    return [None for _ in requests]


def order_placed_before(request: PlaceOrder) -> AlreadyPlaced | None:
    """Return the refusal that names another saga's order with the same key. That saga was purged or lost."""
    placed = Order.objects.filter(customer_id=request.customer_id, idempotency_key=request.idempotency_key)
    other = placed.exclude(saga_id=request.saga_id).first()
    return AlreadyPlaced(order=str(other.pk)) if other else None


def confirm_no_order(request: ConfirmNoOrder) -> None:
    """Confirm that the saga has no order. Change nothing.

    :raises OrderStands: when the saga has placed its order.
    """
    if order := Order.objects.filter(saga_id=request.repaired_saga_id).first():
        raise OrderStands(order=str(order.pk))


def publish_products(*, products: Iterable[Product]) -> None:
    """Put the products, each SKU once, on sale. Those already in the catalogue get the new name and price."""
    products = list(products)
    for product in products:
        product.clean()
    Product.objects.bulk_create(
        products,
        update_conflicts=True,
        unique_fields=("sku",),
        update_fields=("name", "price_minor", "currency", "active", "ships"),
    )
