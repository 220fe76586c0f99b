"""Reads of payments."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import Q, Sum

from orchestration.participant.money import Money
from orchestration.participant.search_key import Found
from payments.gateways.port import PaymentStatus
from payments.models import Payment

_TAKEN = frozenset({PaymentStatus.CAPTURED, PaymentStatus.REFUNDED})


def payments_by_saga(saga_ids: Collection[UUID] | None = None) -> dict[UUID, Payment]:
    """Return the payment of each of these sagas that has one, or of every saga."""
    payments = Payment.objects.all() if saga_ids is None else Payment.objects.filter(saga_id__in=saga_ids)
    return {payment.saga_id: payment for payment in payments}


def found_by_reference(reference: str) -> Found:
    """Return the saga whose authorisation, capture or refund has this id at the gateway."""
    called_so = Q(authorisation_id=reference) | Q(capture_id=reference) | Q(refund_id=reference)
    return Found(frozenset(Payment.objects.filter(called_so).values_list("saga_id", flat=True)))


def money_held(saga_ids: Collection[UUID]) -> dict[tuple[str, str], int]:
    """Return what is authorised and what is captured for these sagas, in minor units, by (currency, status)."""
    held = Payment.objects.filter(
        saga_id__in=saga_ids, status__in=(PaymentStatus.AUTHORISED.value, PaymentStatus.CAPTURED.value)
    )
    sums = held.values_list("currency", "status").annotate(Sum("amount_minor")).order_by()
    return {(currency, status): amount_minor for currency, status, amount_minor in sums}


def money_of_sagas(saga_ids: Collection[UUID]) -> dict[UUID, Money]:
    """Return the state of the money of these sagas. Sagas without money are absent."""
    return {saga_id: _money(payment) for saga_id, payment in payments_by_saga(saga_ids).items()}


def _money(payment: Payment) -> Money:
    return Money(
        authorised_minor=payment.amount_minor,
        captured_minor=payment.amount_minor if payment.status in _TAKEN else 0,
        voided_minor=payment.amount_minor if payment.status == PaymentStatus.VOIDED else 0,
        refunded_minor=payment.amount_minor if payment.status == PaymentStatus.REFUNDED else 0,
        currency=payment.currency,
        reference=payment.authorisation_id,
    )
