"""Reads the gauges from tables, queues and breakers: few queries, each bounded and with an index."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from celery import current_app
from django.conf import settings
from django.db.models import Count, Min, Q
from prometheus_client.metrics_core import Metric

from orchestration.contracts.payments import money_held
from orchestration.db import clocks
from orchestration.models import ALIAS, SagaInstance
from orchestration.operators.audit import queries
from orchestration.operators.insight.locks import LockCount, lock_counts, services_with_locks
from orchestration.participant.breaker_registry import in_use
from orchestration.participant.participant import ask
from orchestration.protocol.states import ENDED, Phase
from orchestration.sagas import definitions
from orchestration.telemetry import gauge_definitions, redis_counts
from orchestration.telemetry.prometheus_families import families

LOOKED_AT = 5_000
"""The number of oldest unfinished sagas whose money is read. Later sagas of a backlog have not begun."""
CONNECTED_WITHIN = 2  # seconds

_ENDS = [phase for phase in Phase if phase in ENDED]  # as in the index's condition, or it would not be used
_PHASES = [phase for phase in Phase if phase not in ENDED]
_BACKING_OFF = Q(parked=True) | Q(progress__has_key="held")


def sagas() -> list[Metric]:
    """Count the sagas that have not ended. This scans their partial index, however many sagas have ended."""
    now = clocks.now()
    rows = {(row["definition"], row["phase"]): row for row in _unfinished_by_phase()}
    every = {(name, phase.value): {} for name in definitions for phase in _PHASES} | rows

    def each(column: str) -> Iterator[tuple[tuple[str, ...], float]]:
        return ((key, row.get(column, 0)) for key, row in every.items())

    blocked = ((name, row) for (name, phase), row in every.items() if phase == Phase.COMPENSATING)
    due = [row["due"] for row in rows.values() if row["due"]]
    return [
        gauge_definitions.UNFINISHED.family(each("count")),
        gauge_definitions.PARKED.family(each("parked_ones")),
        gauge_definitions.PAUSED.family(each("paused_ones")),
        gauge_definitions.RETRYING.family(each("retrying")),
        gauge_definitions.BLOCKED.family(((name,), row.get("held_back", 0)) for name, row in blocked),
        gauge_definitions.OLDEST.family((key, _age(row.get("oldest"), now)) for key, row in every.items()),
        gauge_definitions.OVERDUE.family([((), _age(min(due, default=None), now))]),
    ]


def locks() -> list[Metric]:
    """Count the locks that sagas hold and wait for, in every service that has locks."""
    found = {each.service: lock_counts(each) for each in services_with_locks()}

    def each(value: Callable[[LockCount], float]) -> Iterator[tuple[tuple[str, ...], float]]:
        return (((service, count.lock), value(count)) for service, counts in found.items() for count in counts)

    return [
        gauge_definitions.LOCKS_HELD.family(each(lambda count: count.held)),
        gauge_definitions.LOCK_TURNS.family(each(lambda count: count.waiting)),
        gauge_definitions.LOCK_OLDEST.family(each(lambda count: count.oldest_s)),
    ]


def money() -> list[Metric]:
    """Sum the money that payments holds for sagas that have not ended."""
    ids = _unfinished().order_by("created_at").values_list("pk", flat=True)[:LOOKED_AT]
    held = ask(money_held, list(ids))
    return [gauge_definitions.LIMBO.family((key, amount_minor) for key, amount_minor in held.items())]


def queues() -> list[Metric]:
    """Count the messages and consumers of each queue. A missing queue has no sample."""
    topology = settings.TOPOLOGY
    with current_app.connection_for_read(connect_timeout=CONNECTED_WITHIN) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=CONNECTED_WITHIN)
        found = topology.depths(connection)
    dead = found.pop(topology.dead_letter_queue.name, None)
    return [
        gauge_definitions.QUEUED.family(((queue,), each.messages) for queue, each in found.items()),
        gauge_definitions.CONSUMERS.family(
            ((queue,), each.consumers) for queue, each in found.items() if each.consumers is not None
        ),
        gauge_definitions.DEAD_LETTERS.family([((), dead.messages)] if dead else []),
    ]


def breakers() -> list[Metric]:
    """Read the state of each breaker; closed when Redis is unavailable."""
    states = {name: breaker.state() for name, breaker in in_use().items()}
    return [
        gauge_definitions.BREAKER.family(
            ((name, state), float(state == now))
            for name, now in states.items()
            for state in ("closed", "open", "half-open")
        )
    ]


def audit() -> list[Metric]:
    """Read the findings of audits, and whether audits are late. Before the first audit ends there is no result."""
    audit_state = queries.audit_state(now=clocks.now())
    return [
        gauge_definitions.AUDIT_OK.family([] if audit_state.ok is None else [((), float(audit_state.ok))]),
        gauge_definitions.AUDIT_UNCHECKED.family(
            [((each, "all"), 1) for each in audit_state.reach.not_checked]
            + [((each, "part"), 1) for each in audit_state.reach.in_part]
        ),
        gauge_definitions.AUDIT_LATE.family([((), float(audit_state.is_late))]),
        gauge_definitions.FINDINGS.family([(("false",), audit_state.open), (("true",), audit_state.accepted)]),
    ]


def counted() -> list[Metric]:
    """Read the counts of all processes."""
    return list(families(redis_counts.totals()))


SOURCES: Mapping[str, Callable[[], list[Metric]]] = {
    "sagas": sagas,
    "locks": locks,
    "money": money,
    "queues": queues,
    "breakers": breakers,
    "audit": audit,
    "counts": counted,
}


def _unfinished() -> Any:
    return SagaInstance.objects.using(ALIAS).exclude(phase__in=_ENDS)


def _unfinished_by_phase() -> Any:
    return (
        _unfinished()
        .values("definition", "phase")
        .annotate(
            count=Count("pk"),
            parked_ones=Count("pk", filter=Q(parked=True)),
            paused_ones=Count("pk", filter=Q(paused=True)),
            retrying=Count("pk", filter=Q(in_flight=False, parked=False, paused=False)),
            held_back=Count("pk", filter=_BACKING_OFF),
            oldest=Min("created_at"),
            due=Min("due_at", filter=Q(in_flight=False)),
        )
        .order_by()
    )


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0
