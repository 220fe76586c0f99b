"""Reads of payments."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import Sum

from payments.gateways.port import PaymentStatus
from payments.models import Payment


def payments_by_saga(saga_ids: Collection[UUID] | None = None) -> dict[UUID, Payment]:
    """Return the payment of each of these sagas that has one, or of every saga."""
    payments = Payment.objects.all() if saga_ids is None else Payment.objects.filter(saga_id__in=saga_ids)
    return {payment.saga_id: payment for payment in payments}


def money_held(saga_ids: Collection[UUID]) -> dict[tuple[str, str], int]:
    """Return what is authorised and what is captured for these sagas, in minor units, by (currency, status)."""
    held = Payment.objects.filter(
        saga_id__in=saga_ids, status__in=(PaymentStatus.AUTHORISED.value, PaymentStatus.CAPTURED.value)
    )
    sums = held.values_list("currency", "status").annotate(Sum("amount_minor")).order_by()
    return {(currency, status): amount_minor for currency, status, amount_minor in sums}
