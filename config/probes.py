"""`/healthz` and `/readyz`: whether this process answers, and whether everything that it needs is available."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config.readiness import CHECKS, DISPENSABLE
from orchestration.telemetry.access import may_look
from orchestration.telemetry.parallel_reads import ParallelReads

KEPT_FOR = timedelta(seconds=1)
PATIENCE = timedelta(seconds=3)
"""A check without an answer after this time counts as not ready."""
ANSWERED_WITHIN = timedelta(milliseconds=80)
"""A client that asks at least once a minute waits no longer than this. It may get the previous answer."""


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer that this process is alive."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer whether everything is available. An authorised client is also shown what is not, and why.

    `?exclude=broker` leaves a check out; a shop without its broker still accepts orders.
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
def _checks() -> ParallelReads[str]:
    return ParallelReads(CHECKS, patience=PATIENCE, kept_for=KEPT_FOR, answered_within=ANSWERED_WITHIN)
