"""The purge, in chunks of one short transaction each: it can be stopped at any time and run while the shop works."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.db import connections, transaction
from django.db.models import QuerySet

from orchestration.db.sql import as_array
from orchestration.models import ALIAS, PurgedSaga, SagaInstance, SagaLogEntry
from orchestration.operators.retention.rule import FINAL, purgeable
from orchestration.participant.ledger import LedgerRow
from orchestration.participant.participant import participants

CHUNK = 200
LOOKED_AT_ONCE = 10_000
"""The number of sagas whose ledger rows one query of each service counts. It locks nothing."""


@dataclass(frozen=True)
class Removed:
    """The number of rows that were removed, or would be."""

    sagas: int = 0
    log_entries: int = 0
    ledger_rows: int = 0

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(
            self.sagas + other.sagas, self.log_entries + other.log_entries, self.ledger_rows + other.ledger_rows
        )


def purge_sagas(until: datetime, *, limit: int | None = None) -> Iterator[Removed]:
    """Remove sagas that ended before `until`, with their logs, at most `limit`. Yield what each chunk removed.

    Several processes may purge at the same time: each takes other chunks.
    """
    left = limit
    while left is None or left > 0:
        removed = _purge_chunk(until, CHUNK if left is None else min(CHUNK, left))
        if not removed.sagas:
            return
        left = None if left is None else left - removed.sagas
        yield removed


def purge_ledgers(until: datetime) -> Iterator[Removed]:
    """Remove the ledger rows of purged sagas that ended before `until`. Yield what each chunk removed.

    The caller must have checked that none of their messages is left (`rule.why_ledger_rows_stay`). Deleting twice is
    harmless.

    :raises django.db.Error: when a service's database is unavailable; the next purge removes the rest.
    """
    after = UUID(int=0)
    while chunk := _with_ledger_rows(until, after):
        rows = sum(_delete_rows(service, until, chunk) for service in participants())
        _note_deleted(chunk)
        after = chunk[-1]
        yield Removed(ledger_rows=rows)


def foreseen(until: datetime, *, limit: int | None = None) -> Removed:
    """Return what a purge would remove now. Logs are not read, since a saga's row holds the length of its log."""
    total, after = Removed(), UUID(int=0)
    while left := _with_ledger_rows(until, after, LOOKED_AT_ONCE):
        total, after = total + Removed(ledger_rows=_rows_to_delete(until, left)), left[-1]
    for chunk in _in_chunks(purgeable(until)[:limit].values_list("pk", "log_length")):
        saga_ids, logs = zip(*chunk, strict=True)
        total += Removed(len(saga_ids), sum(logs), _rows_to_delete(until, saga_ids))
    return total


def _purge_chunk(until: datetime, size: int) -> Removed:
    with transaction.atomic(using=ALIAS):
        chunk = list(purgeable(until).select_for_update(skip_locked=True, of=("self",))[:size])
        ids = [saga.pk for saga in chunk]
        PurgedSaga.objects.using(ALIAS).bulk_create(
            [
                PurgedSaga(id=saga.pk, definition=saga.definition, phase=saga.phase, ended_at=saga.ended_at)
                for saga in chunk
                if saga.ended_at
            ]
        )
        log_entries, _ = SagaLogEntry.objects.using(ALIAS).filter(saga_id__in=ids).delete()
        SagaInstance.objects.using(ALIAS).filter(pk__in=ids).delete()
    return Removed(len(chunk), log_entries)


def _in_chunks(rows: QuerySet[SagaInstance, tuple[UUID, int]]) -> Iterator[list[tuple[UUID, int]]]:
    """Yield the rows of one query in chunks of `LOOKED_AT_ONCE`, read as they are needed."""
    found = rows.iterator(chunk_size=LOOKED_AT_ONCE)
    while chunk := list(islice(found, LOOKED_AT_ONCE)):
        yield chunk


def _with_ledger_rows(until: datetime, after: UUID, size: int = CHUNK) -> list[UUID]:
    purged = PurgedSaga.objects.using(ALIAS).filter(has_ledger_rows=True, ended_at__lt=until, pk__gt=after)
    return list(purged.order_by("pk").values_list("pk", flat=True)[:size])


def _delete_rows(service: str, until: datetime, saga_ids: Sequence[UUID]) -> int:
    rows = _ledger(service)._default_manager.using(service).filter(saga_id__in=saga_ids)
    deleted, _ = rows.filter(status__in=FINAL, changed_at__lt=until).delete()
    return deleted


def _note_deleted(saga_ids: Sequence[UUID]) -> None:
    with_rows: set[UUID] = set()
    for service in participants():
        rows = _ledger(service)._default_manager.using(service).filter(saga_id__in=saga_ids)
        with_rows.update(rows.values_list("saga_id", flat=True))
    gone = [saga_id for saga_id in saga_ids if saga_id not in with_rows]
    PurgedSaga.objects.using(ALIAS).filter(pk__in=gone).update(has_ledger_rows=False)


def _rows_to_delete(until: datetime, saga_ids: Sequence[UUID]) -> int:
    """Count the ledger rows that would be deleted. The ids are passed as one array: many parameters are much slower."""
    ids, final = as_array(saga_ids), as_array(FINAL)
    return sum(_counted(service, ids, final, until) for service in participants())


def _counted(service: str, ids: str, final: str, until: datetime) -> int:
    where = "saga_id = ANY(%s::uuid[]) AND status = ANY(%s::text[]) AND changed_at < %s"
    with connections[service].cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM "{_ledger(service)._meta.db_table}" WHERE {where}', (ids, final, until))
        return int(cursor.fetchone()[0])


def _ledger(service: str) -> type[LedgerRow]:
    return participants()[service].ledger
