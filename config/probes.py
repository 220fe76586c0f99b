"""`/healthz` and `/readyz`: whether this process answers, and whether it has what it needs."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config.readiness import CHECKS, DISPENSABLE
from orchestration.telemetry.access import may_look
from orchestration.telemetry.parallel_reads import SideBySide

KEPT_FOR = timedelta(seconds=1)
PATIENCE = timedelta(seconds=3)
"""After so long without an answer something counts as not ready."""
ANSWERED_WITHIN = timedelta(milliseconds=80)
"""A client that asks at least once a minute waits no longer than this. It may get the previous answer."""


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that this process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Say whether everything is there, and to whoever may know it what is not, and why.

    `?exclude=broker` leaves a check out; a shop without its broker still takes orders.
    """
    excluded = set(request.GET.getlist("exclude"))
    if unknown := excluded - CHECKS.keys():
        return JsonResponse({"unknown": sorted(unknown), "checks": sorted(CHECKS)}, status=400)
    troubles = {what: why for what, why in _troubles() if what not in excluded}
    is_ready = troubles.keys() <= DISPENSABLE
    body = {"ready": is_ready} | (_as_json(troubles) if may_look(request) else {})
    return JsonResponse(body, status=200 if is_ready else 503)


def _troubles() -> Iterator[tuple[str, str]]:
    return ((what, str(answer)) for what, answer in _checks().answers().items() if answer)


def _as_json(troubles: Mapping[str, str]) -> dict[str, object]:
    return {
        "not_ready": {what: why for what, why in troubles.items() if what not in DISPENSABLE},
        "degraded": {what: why for what, why in troubles.items() if what in DISPENSABLE},
    }


@cache
def _checks() -> SideBySide[str]:
    return SideBySide(CHECKS, patience=PATIENCE, kept_for=KEPT_FOR, answered_within=ANSWERED_WITHIN)
