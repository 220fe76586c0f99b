"""Finding sagas: the newest first, and those known by something that somebody has at hand."""

from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce

from orchestration.models import ALIAS, SagaInstance, SagaLogEntry
from orchestration.states import Kind


def newest_sagas() -> QuerySet[SagaInstance]:
    """Every saga, the newest first, each with `last_error`: the class, else the code, of its newest failed try."""
    return SagaInstance.objects.using(ALIAS).order_by("-created_at", "-pk").annotate(last_error=_last_error())


def known_by(text: str) -> Q:
    """Matches the saga id, order id, customer or idempotency key that `text` is, to the letter."""
    condition = Q(customer_id=text) | Q(idempotency_key=text)
    try:
        found = UUID(text)
    except ValueError:
        return condition
    return condition | Q(pk=found) | Q(order_id=found)


def _last_error() -> Subquery:
    entries = SagaLogEntry.objects.filter(saga_id=OuterRef("pk"), kind__in=(Kind.FAILED, Kind.WAITING))
    said = Coalesce(KT("detail__class"), KT("detail__code"))
    return Subquery(entries.order_by("-sequence").values(said=said)[:1])
