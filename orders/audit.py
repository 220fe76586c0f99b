"""Confirmed orders, as the orders service wrote them."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import F, Sum

from orchestration.operators.audit.invariants.effects import Effect
from orchestration.operators.audit.read_only import BATCH
from orchestration.participant.selection import EVERYTHING, Selection
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


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """One order; `lines_minor` is the sum of its lines, None when it has none."""

    id: UUID
    customer_id: str
    idempotency_key: str
    total_minor: int
    currency: str
    authorisation_id: str
    tracking_number: str
    lines_minor: int | None

    @property
    def effect(self) -> Effect:
        return Effect.LIVE


def read(chosen: Selection = EVERYTHING) -> dict[UUID, OrderFacts]:
    """Orders, by saga."""
    lines_minor = Sum(F("lines__quantity") * F("lines__unit_price_minor"))
    placed = Order.objects.filter(chosen.sagas()).order_by("id").annotate(lines_minor=lines_minor)
    rows = placed.values_list(*COLUMNS, "lines_minor")
    return {saga_id: OrderFacts(*row) for saga_id, *row in rows.iterator(BATCH)}
