"""Probes and metrics, which are asked for by the address of a pod: answered whatever the Host header says."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import resolve

from orchestration.api.admission import PROBES

Respond = Callable[[HttpRequest], HttpResponse]


def middleware(get_response: Respond) -> Respond:
    """Answer these paths before any other middleware looks at the host; they link to nothing and set no cookies."""

    def respond(request: HttpRequest) -> HttpResponse:
        if request.path_info not in PROBES:
            return get_response(request)
        request.resolver_match = resolve(request.path_info)
        response: HttpResponse = request.resolver_match.func(request)
        return response

    return respond
