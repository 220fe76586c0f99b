"""Middleware that answers probes and metrics for any Host header: their clients use a pod's address."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import resolve

from orchestration.api.admission import PROBES

Respond = Callable[[HttpRequest], HttpResponse]


def middleware(get_response: Respond) -> Respond:
    """Answer these paths before another middleware checks the host. Their answers hold no links and set no cookies."""

    def respond(request: HttpRequest) -> HttpResponse:
        if request.path_info not in PROBES:
            return get_response(request)
        request.resolver_match = resolve(request.path_info)
        response: HttpResponse = request.resolver_match.func(request)
        return response

    return respond
