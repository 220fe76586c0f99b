"""Requests through reverse proxies: what a trusted one says of the client holds, what anybody else says does not."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from orchestration.telemetry.access import was_sent_from

SAID_BY_PROXIES = ("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST")
"""What Django then takes scheme and host from (SECURE_PROXY_SSL_HEADER, USE_X_FORWARDED_HOST)."""

Respond = Callable[[HttpRequest], HttpResponse]


def middleware(get_response: Respond) -> Respond:
    """Keep these headers where `settings.TRUSTED_PROXIES` sent them; set cookies for https alone where it is used."""

    def respond(request: HttpRequest) -> HttpResponse:
        is_trusted = was_sent_from(request, settings.TRUSTED_PROXIES)
        for header in SAID_BY_PROXIES:
            said = request.META.pop(header, "")
            if (
                said and is_trusted
            ):  # of several values, the last is the proxy's own; the client may have sent the others
                request.META[header] = said.rpartition(",")[2].strip()
        response = get_response(request)
        if request.is_secure():
            for cookie in response.cookies.values():
                cookie["secure"] = True
        return response

    return respond
