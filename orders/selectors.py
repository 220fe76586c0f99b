"""Reads of the orders service."""

from collections.abc import Collection, Iterable
from typing import NamedTuple
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import QuerySet

from orchestration.db.coalescing import CoalescedReads
from orchestration.db.connections import borrowed
from orchestration.db.sql import execute
from orchestration.participant.search_key import Found
from orders.models import Order, OrderChange, Product, ReturnRequest


class Price(NamedTuple):
    """The price of one unit of a product."""

    price_minor: int
    currency: str
    ships: bool = True


def prices_by_sku(skus: Iterable[str]) -> dict[str, Price]:
    """Return the prices of active products by SKU, without SKUs that are not sold. Do not call it in a transaction."""
    return _prices.ask(skus)


def products_by_sku(skus: Iterable[str]) -> dict[str, Product]:
    """Return active products by SKU. SKUs that are not sold are absent."""
    return {product.sku: product for product in products_on_sale().filter(sku__in=set(skus))}


def products_on_sale() -> QuerySet[Product]:
    """Return active products, in SKU order."""
    return Product.objects.filter(active=True).order_by("sku")


def orders_of(customer_id: str) -> QuerySet[Order]:
    """Return the customer's orders with their lines, newest first."""
    return Order.objects.filter(customer_id=customer_id).order_by("-placed_at", "-id").prefetch_related("lines")


def order_of(customer_id: str, order_id: UUID) -> Order | None:
    """Return the order with its lines, or None when this customer has no such order."""
    return orders_of(customer_id).filter(id=order_id).first()


def order_with_lines(order_id: UUID) -> Order | None:
    """Return the order of any customer with its lines, or None when there is no such order."""
    return Order.objects.filter(id=order_id).prefetch_related("lines").first()


def changes_of(order_id: UUID) -> QuerySet[OrderChange]:
    """Return the changes of an order that got the lock on it, newest first."""
    return OrderChange.objects.filter(order_id=order_id).order_by("-id")


def return_requests_of(order_id: UUID) -> QuerySet[ReturnRequest]:
    """Return the return requests of an order, newest first."""
    return ReturnRequest.objects.filter(order_id=order_id).order_by("-id")


def return_request(return_id: UUID) -> ReturnRequest | None:
    """Return the return request with its order, or None when there is no such request."""
    return ReturnRequest.objects.select_related("order").filter(id=return_id).first()


def found_by_email(email: str) -> Found:
    """Return the customers with this e-mail address, in upper or lower case. A text that is no address finds none."""
    if "@" not in email:
        return Found()
    customers = User.objects.filter(email__iexact=email).values_list("pk", flat=True)
    return Found(customer_ids=frozenset(map(str, customers)))


def _read_prices(skus: Collection[str]) -> dict[str, Price]:
    selected = "SELECT sku, price_minor, currency, ships FROM orders_product WHERE active AND sku = ANY(%s)"
    with borrowed("orders"):
        return {sku: Price(*price) for sku, *price in execute("orders", selected, list(skus))}


_prices = CoalescedReads(_read_prices)
