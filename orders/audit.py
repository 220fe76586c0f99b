"""Reads the orders service for an audit: confirmed orders."""

from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db.models import F, Q, Sum

from orchestration.contracts.audit import OrderFacts, StepEffect
from orchestration.contracts.orders import place_order
from orchestration.participant.audit import BATCH, AuditedRows, ServiceAudit
from orchestration.participant.selection import Selection
from orders.models import Order

COLUMNS = (
    "saga_id",
    "id",
    "customer_id",
    "idempotency_key",
    "total_minor",
    "currency",
    "authorisation_id",
    "tracking_number",
)


def read_orders(chosen: Selection) -> dict[UUID, OrderFacts]:
    """Return orders, by saga."""
    lines_minor = Sum(F("lines__quantity") * F("lines__unit_price_minor"))
    placed = Order.objects.filter(chosen.sagas()).order_by("id").annotate(lines_minor=lines_minor)
    rows = placed.values_list(*COLUMNS, "lines_minor")
    return {saga_id: OrderFacts(*row) for saga_id, *row in rows.iterator(BATCH)}


def effect_of(order: OrderFacts) -> StepEffect:
    """Return the effect of placing the order. An order is never taken back."""
    return StepEffect.LIVE


def lacks(order: OrderFacts | None, ordered: Mapping[str, int]) -> str:
    """Return what a completed checkout lacks."""
    return "" if order else "there is no order"


def leftover(order: OrderFacts) -> str:
    """Return what a compensated checkout has left behind."""
    return "there is an order"


def worth(left_out: Sequence[Selection]) -> Counter[str]:
    """Return the sum of confirmed orders in minor units by currency, without those of sagas `left_out`."""
    counted = Q()
    for selection in left_out:
        counted &= ~selection.sagas()
    orders = Order.objects.filter(counted).order_by().values_list("currency")
    return Counter(dict(orders.annotate(Sum("total_minor"))))


audit = ServiceAudit(
    rows=(
        AuditedRows(
            facts=OrderFacts,
            kind="order",
            action=place_order,
            read=read_orders,
            effect=effect_of,
            lacks=lacks,
            leftover=leftover,
        ),
    ),
    worth=worth,
)
