"""Reads sagas with their logs and ledgers, coalesced for all threads that read at the same moment."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson
from django.db import Error

from orchestration.db import deadline
from orchestration.db.coalescing import CoalescedReads
from orchestration.db.connections import borrowed
from orchestration.db.sql import as_array, execute
from orchestration.engine import store
from orchestration.engine.selectors import SERVICES_READ_WITHIN, Logged, Seen
from orchestration.models import ALIAS, SagaInstance, SagaLogEntry
from orchestration.participant.participant import participants
from orchestration.protocol.deadlocks import is_retried
from orchestration.protocol.states import ENDED


@dataclass(frozen=True)
class Reading:
    """A saga's row. For an ended saga also its log and its rows of each ledger (None: that database is down).

    `saga_id` is the saga that was asked for. If it was given up to end a deadlock, `instance` is the saga that does its
    work now. Clients know the first id only.
    """

    saga_id: UUID
    instance: SagaInstance
    log: Sequence[Logged] | None = None
    ledgers: Mapping[str, Sequence[Seen] | None] | None = None


def read(saga_id: UUID) -> Reading | None:
    """Read the saga as it is now. Return None if there is none. Do not call this within a transaction."""
    return _together.ask([saga_id]).get(saga_id)


def _read_all(saga_ids: Collection[UUID]) -> dict[UUID, Reading]:
    with borrowed(ALIAS):
        instances = _newest(store.find(saga_ids))
    readings = {saga_id: Reading(saga_id, instance) for saga_id, instance in instances.items()}
    ended = [instance.pk for instance in instances.values() if instance.phase in ENDED]
    if not ended:
        return readings
    logs = _logs(ended)
    with deadline.within(SERVICES_READ_WITHIN):
        ledgers = {service: _ledger(service, ended) for service in participants()}
    for saga_id, instance in instances.items():
        if instance.phase in ENDED:
            rows = {service: None if ledger is None else ledger[instance.pk] for service, ledger in ledgers.items()}
            readings[saga_id] = Reading(saga_id, instance, logs[instance.pk], rows)
    return readings


def _newest(instances: dict[UUID, SagaInstance]) -> dict[UUID, SagaInstance]:
    """Replace each victim of a deadlock by the saga that does its work now."""
    newest = dict(instances)
    victims = newest
    while victims := {saga_id: saga for saga_id, saga in victims.items() if _may_have_successor(saga)}:
        successors = store.find_successors([saga.pk for saga in victims.values()])
        victims = {saga_id: successors[saga.pk] for saga_id, saga in victims.items() if saga.pk in successors}
        newest |= victims
    return newest


def _may_have_successor(saga: SagaInstance) -> bool:
    return saga.phase in ENDED and is_retried(saga.failure, saga.victim_count)


def _logs(saga_ids: list[UUID]) -> dict[UUID, list[Logged]]:
    selected = (
        f'SELECT saga_id, kind, step, phase, detail, at FROM "{SagaLogEntry._meta.db_table}" '
        "WHERE saga_id = ANY(%s::uuid[]) ORDER BY saga_id, sequence"
    )
    logs = defaultdict[UUID, list[Logged]](list)
    with borrowed(ALIAS):
        for saga_id, kind, step, phase, detail, at in execute(ALIAS, selected, as_array(saga_ids)):
            logs[saga_id].append(Logged(kind, step, phase, orjson.loads(detail), at))
    return logs


def _ledger(service: str, saga_ids: list[UUID]) -> dict[UUID, list[Seen]] | None:
    table = participants()[service].ledger._meta.db_table
    selected = f'SELECT saga_id, step, status, changed_at FROM "{table}" WHERE saga_id = ANY(%s::uuid[])'
    rows = defaultdict[UUID, list[Seen]](list)
    try:
        with deadline.half_of_the_rest(), borrowed(service):
            for saga_id, *row in execute(service, selected, as_array(saga_ids)):
                rows[saga_id].append(Seen(*row))
    except Error:
        return None
    return rows


_together = CoalescedReads(_read_all)
