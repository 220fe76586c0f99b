"""Writes of the orders service."""

from collections.abc import Iterable
from dataclasses import asdict

from orchestration.contracts.orders import PlaceOrder
from orders.models import Order, OrderLine, Product


def place_order(request: PlaceOrder) -> None:
    """Write the order, confirmed, with its lines as they were priced."""
    order = Order.objects.create(
        id=request.order_id,
        saga_id=request.saga_id,
        customer_id=request.customer_id,
        idempotency_key=request.idempotency_key,
        status=Order.Status.CONFIRMED,
        total_minor=request.total_minor,
        currency=request.currency,
        shipping_address=asdict(request.shipping_address),
        authorisation_id=request.authorisation_id,
        tracking_number=request.tracking_number,
        placed_at=request.placed_at,
    )
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order,
            position=position,
            sku=line.sku,
            quantity=line.quantity,
            unit_price_minor=line.unit_price_minor,
        )
        for position, line in enumerate(request.lines)
    )


def publish_products(*, products: Iterable[Product]) -> None:
    """Put the products, each SKU once, on sale; those already in the catalogue get the new name and price."""
    Product.objects.bulk_create(
        products,
        update_conflicts=True,
        unique_fields=("sku",),
        update_fields=("name", "price_minor", "currency", "active"),
    )
