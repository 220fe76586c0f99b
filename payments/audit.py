"""Payments, as the payments service wrote them."""

import sys
from dataclasses import dataclass
from uuid import UUID

from orchestration.operators.audit.invariants.effects import Effect
from orchestration.operators.audit.read_only import BATCH
from orchestration.participant.selection import EVERYTHING, Selection
from payments.free import is_free
from payments.gateways.port import PaymentStatus
from payments.models import Payment

COLUMNS = (
    "saga_id",
    "order_id",
    "status",
    "currency",
    "amount_minor",
    "authorisation_id",
    "capture_id",
    "refund_id",
)
TAKEN = frozenset({PaymentStatus.CAPTURED, PaymentStatus.REFUNDED})
REVERSED = frozenset({PaymentStatus.VOIDED, PaymentStatus.REFUNDED})


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """One saga's payment."""

    order_id: UUID
    status: str
    currency: str
    amount_minor: int
    authorisation_id: str
    capture_id: str | None
    refund_id: str | None

    @property
    def effect(self) -> Effect:
        return Effect.REVERSED if self.is_reversed else Effect.LIVE

    @property
    def is_reversed(self) -> bool:
        return self.status in REVERSED

    @property
    def is_at_the_gateway(self) -> bool:
        """Whether the gateway should know of it; it is not asked about a free order."""
        return not is_free(self.authorisation_id)

    @property
    def was_captured(self) -> bool:
        return self.status in TAKEN


def read(chosen: Selection = EVERYTHING) -> dict[UUID, PaymentFacts]:
    """Payments, by saga."""
    rows = Payment.objects.filter(chosen.sagas()).values_list(*COLUMNS).iterator(BATCH)
    return {
        saga_id: PaymentFacts(order_id, sys.intern(status), sys.intern(currency), *row)
        for saga_id, order_id, status, currency, *row in rows
    }
