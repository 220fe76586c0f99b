"""The dashboard's tiles. Each tile reads one source, is refreshed on its own, and shows when its source is down."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse

from orchestration.admin.filters import parameters_of
from orchestration.admin.frame import VIEW_SAGAS, for_operators, fragment
from orchestration.admin.incidents import line_of
from orchestration.db import clocks
from orchestration.operators.audit import queries
from orchestration.operators.insight import breakers, counts, incidents, queues, stats, workers
from orchestration.operators.insight.bottleneck import ReadSources, bottleneck
from orchestration.operators.insight.saga_filter import STUCK_AFTER, SagaFilter, matching
from orchestration.operators.insight.sources import Unavailable, read
from orchestration.operators.insight.status import attempt_of, status_of, step_of

STUCK_LISTED = INCIDENTS_LISTED = 8
DATABASE = "the database of orchestration"

Found = Mapping[str, Any]


@dataclass(frozen=True)
class Tile:
    """One part of the dashboard; `look` returns the context of its template, or why the source does not answer."""

    title: str
    every_seconds: int
    look: Callable[[datetime], Found | Unavailable]
    is_wide: bool = False


@for_operators(VIEW_SAGAS)
def tile(request: HttpRequest, name: str) -> HttpResponse:
    """Show the present contents of a tile."""
    if name not in TILES:
        raise Http404(f"there is no tile {name}")
    shown = TILES[name].look(clocks.now())
    found = {"down": shown.why} if isinstance(shown, Unavailable) else shown
    return fragment(request, "operations/tile.html", name=name, body=f"operations/tiles/{name}.html", **found)


def _flow(now: datetime) -> Found | Unavailable:
    found = stats.stats(now=now)
    return found if isinstance(found, Unavailable) else {"stats": found}


def _steps(now: datetime) -> Found | Unavailable:
    found = stats.stats(now=now)
    seen = ReadSources(queues.queues(), breakers.breakers(), found)
    unread = [each.why for each in (seen.queues, seen.breakers) if isinstance(each, Unavailable)]
    if isinstance(found, Unavailable):
        return found
    return {"stats": found, "bottleneck": bottleneck(seen), "unread": unread}


def _lists(now: datetime) -> Found | Unavailable:
    def ask() -> Found:
        sizes = counts.preset_counts(now=now)
        return {
            "lists": [(name, parameters_of(preset), sizes[name]) for name, preset in counts.presets(now=now).items()]
        }

    return read(DATABASE, ask)


def _stuck(now: datetime) -> Found | Unavailable:
    def ask() -> Found:
        wanted = SagaFilter(stuck_for=STUCK_AFTER)
        oldest = matching(wanted, now=now).reverse()[:STUCK_LISTED]
        return {"query": parameters_of(wanted), "sagas": [_stuck_one(saga, now) for saga in oldest]}

    return read(DATABASE, ask)


def _stuck_one(saga: Any, now: datetime) -> Found:
    attempt = attempt_of(saga)
    return {
        "pk": saga.pk,
        "status": status_of(saga).value,
        "step": step_of(saga),
        "attempt": attempt.in_words(now) if attempt else "",
        "moved_at": saga.changed_at,
        "error": saga.last_error,
    }


def _breakers(now: datetime) -> Found | Unavailable:
    found = breakers.breakers()
    return found if isinstance(found, Unavailable) else {"breakers": found}


def _queues(now: datetime) -> Found | Unavailable:
    found = queues.every_queue()
    if isinstance(found, Unavailable):
        return found
    dead = settings.TOPOLOGY.dead_letter_queue.name
    return {"queues": [queue for name, queue in found.items() if name != dead], "dead": found[dead]}


def _workers(_: datetime) -> Found | Unavailable:
    found = workers.workers()
    return found if isinstance(found, Unavailable) else {"workers": found}


def _incidents(_: datetime) -> Found | Unavailable:
    def ask() -> Found:
        found = incidents.incidents()
        return {"lines": list(map(line_of, found[:INCIDENTS_LISTED])), "is_more": len(found) > INCIDENTS_LISTED}

    return read(DATABASE, ask)


def _audits(now: datetime) -> Found | Unavailable:
    return read(DATABASE, lambda: {"audit_state": queries.audit_state(now=now)})


TILES: Mapping[str, Tile] = {
    "flow": Tile("Now", 5, _flow),
    "lists": Tile("Sagas", 5, _lists),
    "steps": Tile("Where the time goes", 10, _steps, is_wide=True),
    "stuck": Tile("Stuck", 5, _stuck, is_wide=True),
    "incidents": Tile("Incidents", 10, _incidents, is_wide=True),
    "breakers": Tile("Breakers", 5, _breakers),
    "workers": Tile("Workers", 10, _workers),
    "queues": Tile("Queues", 5, _queues),
    "audits": Tile("Audit", 30, _audits),
}
"""The tiles by name, in the order in which they are shown."""
