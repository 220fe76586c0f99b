"""Accept `X-Forwarded-Proto` and `X-Forwarded-Host` from trusted proxies only."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from orchestration.telemetry.access import was_sent_from

FORWARDED_HEADERS = ("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST")
"""Django takes scheme and host from these headers (SECURE_PROXY_SSL_HEADER, USE_X_FORWARDED_HOST)."""

Respond = Callable[[HttpRequest], HttpResponse]


def middleware(get_response: Respond) -> Respond:
    """Remove these headers unless `settings.TRUSTED_PROXIES` sent them. Mark cookies as secure where https is used."""

    def respond(request: HttpRequest) -> HttpResponse:
        is_trusted = was_sent_from(request, settings.TRUSTED_PROXIES)
        for header in FORWARDED_HEADERS:
            value = request.META.pop(header, "")
            if value and is_trusted:
                # The last of several values is the proxy's own. The client may have sent the others.
                request.META[header] = value.rpartition(",")[2].strip()
        response = get_response(request)
        if request.is_secure():
            for cookie in response.cookies.values():
                cookie["secure"] = True
        return response

    return respond
