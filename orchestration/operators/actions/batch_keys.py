"""Idempotency keys of batches: a form or request that is sent twice creates one batch."""

from collections.abc import Collection

from django.db import IntegrityError, transaction

from orchestration.models import ALIAS, Batch, BatchMember

_SAME = (
    *("action", "wanted", "step", "statement", "reason", "evidence"),
    *("canary", "per_second", "stop_above_percent"),
)
"""The fields in which two requests with the same key must agree."""
AT_ONCE = 500
"""Members written by one statement. Preparing a larger one takes so long that the server ends the idle transaction."""


class NotABatch(ValueError):
    """The batch cannot be created; the message says why."""


class BatchKeyReused(NotABatch):
    """The key was used for another request."""


def made_before(batch: Batch) -> Batch | None:
    """Return the batch that the same request created before; None if it has no key or a new one.

    :raises BatchKeyReused: when the key was used for another request.
    """
    if batch.idempotency_key is None:
        return None
    of_the_key = Batch.objects.using(ALIAS).filter(user_id=batch.user_id, idempotency_key=batch.idempotency_key)
    found = of_the_key.first()
    if found is not None and any(getattr(found, name) != getattr(batch, name) for name in _SAME):
        raise BatchKeyReused(f"this was sent before with other contents, and made batch {found.pk}")
    return found


def make_once(batch: Batch, members: Collection[BatchMember]) -> Batch:
    """Create the batch and its members, or return the batch that the same request created meanwhile.

    :raises BatchKeyReused: when the key was used for another request.
    """
    try:
        with transaction.atomic(using=ALIAS):
            batch.save(using=ALIAS, force_insert=True)
            BatchMember.objects.using(ALIAS).bulk_create(members, batch_size=AT_ONCE)
    except IntegrityError:
        if made := made_before(batch):
            return made
        raise
    return Batch.objects.using(ALIAS).get(pk=batch.pk)
