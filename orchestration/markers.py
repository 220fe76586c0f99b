"""Markers: how recovery tells a message that is lost from one that waits its turn.

A marker travels the same queues in the same order as a saga's messages. Queues are first in, first out: when a marker
comes back, whatever was sent well before it has been delivered, so a saga that still has not reported is owed a new
message. While the marker waits, so does the saga's message, and sending it again would only feed the backlog.
"""

from collections.abc import Callable, Collection
from datetime import datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from orchestration import clocks
from orchestration.canvas import relay
from orchestration.holding import Held, overtaken_by
from orchestration.models import ALIAS, Marker, SagaInstance
from orchestration.saga import Saga
from orchestration.statements import as_array, as_rows, execute, rows_of
from orchestration.states import Phase
from orchestration.topology import Topology, compensations_queue

PASS = "orchestration.pass_marker"
RETURNED = "orchestration.marker_returned"

_PHASES = {
    "forward": (Phase.RUNNING, Phase.FINISHING),
    "bar": (Phase.BARRING,),
    "undo": (Phase.COMPENSATING,),
}


def route_of(definition: str, phase: str) -> str:
    """The name of the route that a saga's messages take in that phase."""
    return f"{definition}:{next(name for name, phases in _PHASES.items() if phase in phases)}"


def queues_of(route: str, saga: Saga, topology: Topology) -> list[str]:
    """The queues of a route, in order, as the broker knows them."""
    match route.rpartition(":")[2]:
        case "forward":
            queues = [step.action.service for step in saga.steps]
        case "undo":
            queues = [compensations_queue(step.action.service) for step in reversed(saga.compensable)]
        case _:
            queues = [compensations_queue(saga.pivot.action.service)]
    return [topology.name(queue) for queue in queues]


def lost(now: datetime) -> Q:
    """Matches sagas whose message a marker has overtaken: it has been delivered or lost.

    A marker from the future, which a wrong clock sent, proves nothing.
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
    """Send a marker unless somebody sent one a moment ago; say whether it was sent.

    One that was sent in the future, by a wrong clock, is no reason to wait.
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
    """What workers know a marker by."""
    return f"{route} {sent_at}"


def came_back(route: str, sent_at: datetime) -> None:
    """Remember that it did; it proves something when it is known what it overtook."""
    newer = Q(back_sent_at__isnull=True) | Q(back_sent_at__lt=sent_at)
    Marker.objects.using(ALIAS).filter(newer, route=route).update(back_sent_at=sent_at)


def confirm(*, ask: Callable[[str], Collection[Held]] = overtaken_by) -> None:
    """Ask workers what the markers that came back had overtaken, and from then on go by them.

    :raises kombu.exceptions.OperationalError: when the broker is away.
    """
    for marker in Marker.objects.using(ALIAS).filter(back_sent_at__isnull=False):
        sent_at: Any = marker.back_sent_at
        _seen_alive(ask(name_of(marker.route, sent_at.isoformat())), sent_at)
        returned(marker.route, sent_at)
        Marker.objects.using(ALIAS).filter(route=marker.route, back_sent_at=sent_at).update(back_sent_at=None)


def _seen_alive(held: Collection[Held], sent_at: datetime) -> None:
    """Have sagas that the marker would prove lost wait for another one: a worker holds their message."""
    if held:
        given = as_rows({"id": saga_id, "token": token} for saga_id, token in held)
        ids = as_array(saga_id for saga_id, _ in held)
        proven = sent_at - settings.MARKER_HEAD_START
        execute(ALIAS, _alive(), settings.PRESUMED_LOST_AFTER.total_seconds(), given, ids, proven)


@cache
def _alive() -> str:
    """One statement: note that sagas have been seen, and look at them again after the usual time."""
    return (
        f'UPDATE "{SagaInstance._meta.db_table}" AS saga SET held_at = now(), '
        "due_at = least(now() + make_interval(secs => %s), CASE WHEN phase = 'running' THEN deadline_at END) "
        f"FROM {rows_of(SagaInstance, ('id', 'token'))} "
        "WHERE saga.id = given.id AND saga.id = ANY(%s::uuid[]) AND saga.token = given.token AND saga.in_flight "
        "AND saga.due_at IS NOT NULL AND greatest(saga.dispatched_at, saga.held_at) <= %s::timestamptz "
        "RETURNING saga.id"
    )


def returned(route: str, sent_at: datetime) -> None:
    """Remember the newest marker that came back; older ones that come later change nothing.

    One from the future is not remembered, and one that was, by a wrong clock, is forgotten for any other.
    """
    if sent_at > clocks.now() + settings.MARKER_HEAD_START:
        return
    newer = Q(returned_sent_at__isnull=True) | Q(returned_sent_at__lt=sent_at) | Q(returned_sent_at__gt=Now())
    Marker.objects.using(ALIAS).filter(newer, route=route).update(returned_sent_at=sent_at)
