"""Reads of payments."""

from collections.abc import Collection
from uuid import UUID

from payments.models import Payment


def payments_by_saga(saga_ids: Collection[UUID] | None = None) -> dict[UUID, Payment]:
    """Return the payment of each of these sagas that has one, or of every saga."""
    payments = Payment.objects.all() if saga_ids is None else Payment.objects.filter(saga_id__in=saga_ids)
    return {payment.saga_id: payment for payment in payments}
