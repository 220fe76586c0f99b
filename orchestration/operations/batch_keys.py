"""Idempotency keys of batches: the same form or request, sent twice, makes one batch."""

from collections.abc import Collection

from django.db import IntegrityError, transaction

from orchestration.models import ALIAS, Batch, BatchMember

_SAME = (
    *("action", "wanted", "step", "statement", "reason", "evidence"),
    *("canary", "per_second", "stop_above_percent"),
)
"""What two requests with one key have in common."""


class NotABatch(ValueError):
    """It cannot be asked for; the message says why."""


class BatchKeyReused(NotABatch):
    """The key came with another request before."""


def made_before(batch: Batch) -> Batch | None:
    """Give the batch that the same request made before; None when it has no key, or comes for the first time.

    :raises BatchKeyReused: when the key came with another request.
    """
    if batch.idempotency_key is None:
        return None
    of_the_key = Batch.objects.using(ALIAS).filter(user_id=batch.user_id, idempotency_key=batch.idempotency_key)
    found = of_the_key.first()
    if found is not None and any(getattr(found, name) != getattr(batch, name) for name in _SAME):
        raise BatchKeyReused(f"this was sent before with other contents, and made batch {found.pk}")
    return found


def make_once(batch: Batch, members: Collection[BatchMember]) -> Batch:
    """Write the batch and its members, or give the batch that the same request made at the same time.

    :raises BatchKeyReused: when the key came with another request.
    """
    try:
        with transaction.atomic(using=ALIAS):
            batch.save(using=ALIAS, force_insert=True)
            BatchMember.objects.using(ALIAS).bulk_create(members)
    except IntegrityError:
        if made := made_before(batch):
            return made
        raise
    return Batch.objects.using(ALIAS).get(pk=batch.pk)
