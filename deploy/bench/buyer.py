"""What a measurement needs in the shop: stock, a customer who may order over HTTP, and orders without HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import connections
from knox.models import AuthToken
from uuid_utils.compat import uuid7

from deploy.bench.baskets import ACCEPTED, ADDRESS, CURRENCY, PRICE_MINOR, Baskets
from deploy.bench.instant import DECLINED
from inventory.services import top_up_stock
from orchestration.contracts.orders import CheckoutRequested
from orchestration.contracts.values import Encrypted, Line
from orchestration.db import clocks
from orchestration.engine import engine
from orchestration.participant.encryption import encrypt
from orchestration.sagas.checkout import checkout
from orders.models import Product
from orders.services import publish_products

CUSTOMER = "bench"
PLENTY = 10_000_000
"""Units of each SKU: so many that no measurement runs out of stock."""


@dataclass(frozen=True)
class Buyer:
    """Starts orders as the web process does after it has read a cart."""

    baskets: Baskets
    customer_id: str = CUSTOMER
    cards: dict[str, Encrypted] = field(default_factory=lambda: {card: encrypt(card) for card in (ACCEPTED, DECLINED)})

    def start_order(self, number: int, order: UUID) -> None:
        """Start the saga of order `number` under this id."""
        now = clocks.now()
        request = self._request(number, now)
        origin = engine.Origin(request.customer_id, request.idempotency_key, "bench")
        engine.start_saga(checkout, request, saga_id=order, origin=origin, now=now)

    def leave(self) -> None:
        """Return this thread's connections to their pools."""
        connections.close_all()

    def _request(self, number: int, now: datetime) -> CheckoutRequested:
        order_id = uuid7()
        return CheckoutRequested(
            order_id=order_id,
            customer_id=self.customer_id,
            idempotency_key=str(order_id),
            lines=(Line(self.baskets.sku(number), 1, PRICE_MINOR),),
            total_minor=PRICE_MINOR,
            currency=CURRENCY,
            payment_method=self.cards[self.baskets.card(number)],
            shipping_address=ADDRESS,
            placed_at=now,
        )


def ensure_stock(skus: int) -> None:
    """Ensure stock of `PLENTY` units of every SKU."""
    top_up_stock(units_by_sku=dict.fromkeys(Baskets(skus).every_sku(), PLENTY))


@contextmanager
def on_sale(skus: int) -> Iterator[str]:
    """Create a product for every SKU and a customer, and yield the customer's token. Delete all of
    them after the block.
    """
    skus_on_sale = Baskets(skus).every_sku()
    products = [
        Product(sku=sku, name=f"Bench {sku}", price_minor=PRICE_MINOR, currency=CURRENCY) for sku in skus_on_sale
    ]
    publish_products(products=products)
    customer = User.objects.create(username=f"bench-{uuid4()}", password=make_password(None))
    try:
        _, token = AuthToken.objects.create(customer)
        yield str(token)
    finally:
        customer.delete()
        Product.objects.filter(sku__in=skus_on_sale).delete()
