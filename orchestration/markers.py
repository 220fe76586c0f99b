"""Markers: how recovery tells a message that is lost from one that waits its turn.

A marker travels the same queues in the same order as a saga's messages. Queues are first in, first out: when a marker
comes back, whatever was sent well before it has been delivered, so a saga that still has not reported is owed a new
message. While the marker waits, so does the saga's message, and sending it again would only feed the backlog.
"""

from datetime import datetime

from django.conf import settings
from django.db.models import Q

from orchestration.canvas import relay
from orchestration.models import ALIAS, Marker
from orchestration.saga import Saga
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


def lost() -> Q:
    """Matches sagas whose message a marker has overtaken: it has been delivered or lost."""
    condition = Q(pk__in=[])
    for marker in Marker.objects.using(ALIAS).filter(returned_sent_at__isnull=False):
        definition, _, direction = marker.route.rpartition(":")
        condition |= Q(
            definition=definition,
            phase__in=_PHASES[direction],
            dispatched_at__lte=marker.returned_sent_at - settings.MARKER_HEAD_START,  # type: ignore[operator]
        )
    return condition


def send(route: str, queues: list[str], *, now: datetime) -> bool:
    """Send a marker unless somebody sent one a moment ago; say whether it was sent."""
    Marker.objects.using(ALIAS).bulk_create(
        [Marker(route=route, sent_at=now - settings.MARKER_PERIOD)], ignore_conflicts=True
    )
    stale = Marker.objects.using(ALIAS).filter(route=route, sent_at__lte=now - settings.MARKER_PERIOD)
    if not stale.update(sent_at=now):
        return False
    relay(PASS, queues, RETURNED, {"route": route, "sent_at": now.isoformat()}).apply_async()
    return True


def returned(route: str, sent_at: datetime) -> None:
    """Remember the newest marker that came back; older ones that come later change nothing."""
    marker = Marker.objects.using(ALIAS).filter(route=route)
    newer = Q(returned_sent_at__isnull=True) | Q(returned_sent_at__lt=sent_at)
    marker.filter(newer).update(returned_sent_at=sent_at)
