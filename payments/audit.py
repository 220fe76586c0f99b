"""Reads the payments service for an audit: payments."""

import sys
from collections.abc import Mapping
from operator import attrgetter
from uuid import UUID

from orchestration.contracts.audit import PaymentFacts, StepEffect
from orchestration.contracts.payments import authorise_payment, capture_payment
from orchestration.participant.audit import BATCH, AuditedRows, ServiceAudit
from orchestration.participant.selection import Selection
from payments.free_orders import is_free
from payments.gateways.port import PaymentStatus
from payments.gateways.sandbox.audit import books
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


def read_payments(chosen: Selection) -> dict[UUID, PaymentFacts]:
    """Return payments, by saga."""
    rows = Payment.objects.filter(chosen.sagas()).values_list(*COLUMNS).iterator(BATCH)
    return {
        saga_id: PaymentFacts(
            order_id,
            sys.intern(status),
            sys.intern(currency),
            amount_minor,
            authorisation_id,
            capture_id,
            refund_id,
            was_captured=status in TAKEN,
            is_reversed=status in REVERSED,
            is_at_the_gateway=not is_free(authorisation_id),
        )
        for saga_id, order_id, status, currency, amount_minor, authorisation_id, capture_id, refund_id in rows
    }


def effect_of(payment: PaymentFacts) -> StepEffect:
    """Return the effect of authorising."""
    return StepEffect.REVERSED if payment.is_reversed else StepEffect.LIVE


def capture_effect_of(payment: PaymentFacts, is_repaired: bool) -> StepEffect | None:
    """Return the effect of capturing. Only a repair refunds what was captured without a ledger row."""
    if not payment.was_captured:
        return None
    return StepEffect.REVERSED if payment.is_reversed and is_repaired else StepEffect.LIVE


def lacks(payment: PaymentFacts | None, ordered: Mapping[str, int]) -> str:
    """Return what a completed checkout lacks."""
    if payment and payment.was_captured and not payment.is_reversed:
        return ""
    return f"its payment is {payment.status if payment else 'missing'}"


def leftover(payment: PaymentFacts) -> str:
    """Return what a compensated checkout has left behind."""
    return "" if payment.is_reversed else f"its payment is {payment.status}"


audit = ServiceAudit(
    rows=(
        AuditedRows(
            facts=PaymentFacts,
            kind="payment",
            action=authorise_payment,
            read=read_payments,
            effect=effect_of,
            later_effects={capture_payment: capture_effect_of},
            order_of=attrgetter("order_id"),
            lacks=lacks,
            leftover=leftover,
        ),
    ),
    books=(books,),
)
