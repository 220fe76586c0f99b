"""Finding sagas: the newest first, and those known by something that somebody has at hand."""

from uuid import UUID

from django.db.models import Q, QuerySet

from orchestration.models import ALIAS, SagaInstance
from orchestration.operators.insight.keyset import ByMoment

NEWEST_FIRST = ByMoment("created_at")


def newest_sagas() -> QuerySet[SagaInstance]:
    """Every saga, the newest first."""
    return SagaInstance.objects.using(ALIAS).order_by(*NEWEST_FIRST.columns)


def known_by(text: str) -> Q:
    """Matches the saga id, order id, customer or idempotency key that `text` is, to the letter."""
    condition = Q(customer_id=text) | Q(idempotency_key=text)
    try:
        found = UUID(text)
    except ValueError:
        return condition
    return condition | Q(pk=found) | Q(order_id=found)
