"""The view of `/metrics`."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client.exposition import choose_encoder

from orchestration.telemetry.access import denial, may_look
from orchestration.telemetry.prometheus_text import exposition


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with all metrics, in the format that the scraper accepts."""
    if not may_look(request):
        return denial()
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(exposition()), content_type=content_type)  # type: ignore[arg-type]
