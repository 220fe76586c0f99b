"""Markers, by which recovery distinguishes a lost message from one that still waits in a queue.

A marker passes through the same queues in the same order as a saga's messages. Queues are first in, first out. So when
a marker returns, every message that was sent well before it has been delivered or lost, and a saga that has not
reported needs a new one. While the marker waits, the saga's message may wait, too: sending it again would only add to
the backlog. Messages that workers hold are the exception (`holding`).
"""

from collections.abc import Callable, Collection
from datetime import datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from orchestration.db import clocks
from orchestration.db.sql import as_array, as_rows, execute, rows_of
from orchestration.messaging.canvas import relay
from orchestration.messaging.topology import Topology, compensations_queue
from orchestration.messaging.unfinished import Held, overtaken_by
from orchestration.models import ALIAS, Marker, SagaInstance
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Phase

PASS = "orchestration.pass_marker"
RETURNED = "orchestration.marker_returned"

_PHASES = {
    "forward": (Phase.RUNNING, Phase.FINISHING),
    "bar": (Phase.BARRING,),
    "undo": (Phase.COMPENSATING,),
}


def route_of(definition: str, phase: str) -> str:
    """Return the name of the route that a saga's messages take in that phase."""
    return f"{definition}:{next(name for name, phases in _PHASES.items() if phase in phases)}"


def queues_of(route: str, saga: Saga, topology: Topology) -> list[str]:
    """Return the queues of a route in order, by their names at the broker."""
    match route.rpartition(":")[2]:
        case "forward":
            queues = [step.action.service for step in saga.steps]
        case "undo":
            queues = [compensations_queue(step.action.service) for step in reversed(saga.compensable)]
        case _:
            queues = [compensations_queue(saga.pivot.action.service)]
    return [topology.name(queue) for queue in queues]


def lost(now: datetime) -> Q:
    """Match sagas whose message a marker has proved to be delivered or lost.

    Ignore markers with a time in the future, which a wrong clock wrote.
    """
    condition = Q(pk__in=[])
    for marker in Marker.objects.using(ALIAS).filter(returned_sent_at__lte=now + settings.MARKER_HEAD_START):
        definition, _, direction = marker.route.rpartition(":")
        sent_before = marker.returned_sent_at - settings.MARKER_HEAD_START  # type: ignore[operator]
        of_route = Q(definition=definition, phase__in=_PHASES[direction])
        not_held_since = Q(held_at__isnull=True) | Q(held_at__lte=sent_before)
        condition |= of_route & Q(dispatched_at__lte=sent_before) & not_held_since
    return condition


def send(route: str, queues: list[str], *, now: datetime) -> bool:
    """Send a marker unless one was sent within `MARKER_PERIOD`. Return whether it was sent.

    A last marker with a time in the future, which a wrong clock wrote, does not count.
    """
    Marker.objects.using(ALIAS).bulk_create(
        [Marker(route=route, sent_at=now - settings.MARKER_PERIOD)], ignore_conflicts=True
    )
    is_stale = Q(sent_at__lte=now - settings.MARKER_PERIOD) | Q(sent_at__gt=now + settings.MARKER_PERIOD)
    if not Marker.objects.using(ALIAS).filter(is_stale, route=route).update(sent_at=now):
        return False
    relay(PASS, queues, RETURNED, {"route": route, "sent_at": now.isoformat()}).apply_async()
    return True


def name_of(route: str, sent_at: str) -> str:
    """Return the name by which workers know a marker."""
    return f"{route} {sent_at}"


def record_return(route: str, sent_at: datetime) -> None:
    """Record that a marker returned. It proves nothing until `confirm` has asked workers which messages it overtook."""
    newer = Q(back_sent_at__isnull=True) | Q(back_sent_at__lt=sent_at)
    Marker.objects.using(ALIAS).filter(newer, route=route).update(back_sent_at=sent_at)


def confirm(*, ask: Callable[[str], Collection[Held]] = overtaken_by) -> None:
    """Ask workers which messages the returned markers overtook. From then on `lost` uses these markers.

    :raises kombu.exceptions.OperationalError: when the broker is unavailable.
    """
    for marker in Marker.objects.using(ALIAS).filter(back_sent_at__isnull=False):
        sent_at: Any = marker.back_sent_at
        _seen_alive(ask(name_of(marker.route, sent_at.isoformat())), sent_at)
        record_confirmed_return(marker.route, sent_at)
        Marker.objects.using(ALIAS).filter(route=marker.route, back_sent_at=sent_at).update(back_sent_at=None)


def _seen_alive(held: Collection[Held], sent_at: datetime) -> None:
    """Exempt sagas from this marker's proof, because a worker holds their message. A later marker may prove it lost."""
    if held:
        given = as_rows({"id": saga_id, "token": token} for saga_id, token in held)
        ids = as_array(saga_id for saga_id, _ in held)
        proven = sent_at - settings.MARKER_HEAD_START
        execute(ALIAS, _alive(), settings.PRESUMED_LOST_AFTER.total_seconds(), given, ids, proven)


@cache
def _alive() -> str:
    """Return the statement that records that workers hold these sagas' messages, and postpones their next check."""
    return (
        f'UPDATE "{SagaInstance._meta.db_table}" AS saga SET held_at = now(), '
        "due_at = least(now() + make_interval(secs => %s), CASE WHEN phase = 'running' THEN deadline_at END) "
        f"FROM {rows_of(SagaInstance, ('id', 'token'))} "
        "WHERE saga.id = given.id AND saga.id = ANY(%s::uuid[]) AND saga.token = given.token AND saga.in_flight "
        "AND saga.due_at IS NOT NULL AND greatest(saga.dispatched_at, saga.held_at) <= %s::timestamptz "
        "RETURNING saga.id"
    )


def record_confirmed_return(route: str, sent_at: datetime) -> None:
    """Record a returned marker that workers have confirmed. An older one than the recorded one changes nothing.

    A marker with a time in the future is not recorded; a recorded one is replaced by any other.
    """
    if sent_at > clocks.now() + settings.MARKER_HEAD_START:
        return
    newer = Q(returned_sent_at__isnull=True) | Q(returned_sent_at__lt=sent_at) | Q(returned_sent_at__gt=Now())
    Marker.objects.using(ALIAS).filter(newer, route=route).update(returned_sent_at=sent_at)
