"""Prepares what past orders need: catalogue, stock, customers, a member of staff, tokens."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Permission, User
from knox.models import AuthToken

from deploy.replay.placers import CLERK, username_of
from deploy.replay.plan import CURRENCY, Plan
from inventory.services import top_up_stock
from orders.models import Product
from orders.selectors import products_by_sku
from orders.services import publish_products

TOKENS_LIVE_FOR = timedelta(days=1)


def known_prices(codes: Iterable[str]) -> dict[str, int]:
    """Return the prices of the SKUs on sale, in pence."""
    return {sku: product.price_minor for sku, product in products_by_sku(codes).items()}


def ensure_stock(plan: Plan) -> None:
    """Put every article on sale, with at least as many units as all orders need."""
    publish_products(
        products=[
            Product(sku=article.sku, name=article.name, price_minor=article.price_minor, currency=CURRENCY)
            for article in plan.articles
        ]
    )
    top_up_stock(units_by_sku=plan.units_by_sku)


def make_customers(plan: Plan) -> dict[str, User]:
    """Create a user without a usable password for each customer of the plan. Return the users by username."""
    names = {username_of(invoice) for invoice in plan.invoices}
    locked = make_password(None)
    User.objects.bulk_create((User(username=name, password=locked) for name in sorted(names)), ignore_conflicts=True)
    return {user.username: user for user in User.objects.filter(username__in=names)}


def make_clerk() -> User:
    """Create a member of staff without a usable password who may give money back. Return the user."""
    clerk, _ = User.objects.get_or_create(username=CLERK, defaults={"is_staff": True, "password": make_password(None)})
    clerk.user_permissions.add(Permission.objects.get(codename="refund_order", content_type__app_label="orders"))
    return clerk


@contextmanager
def tokens_for(customers: Mapping[str, User]) -> Iterator[dict[str, str]]:
    """Create a token for each customer and yield the tokens by username. They are deleted after the block."""
    issued = {name: AuthToken.objects.create(user, expiry=TOKENS_LIVE_FOR) for name, user in customers.items()}
    try:
        yield {name: token for name, (_, token) in issued.items()}
    finally:
        _revoke(instance for instance, _ in issued.values())


def _revoke(tokens: Iterable[AuthToken]) -> None:
    AuthToken.objects.filter(pk__in=[token.pk for token in tokens]).delete()
