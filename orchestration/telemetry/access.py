"""Access to metrics: requests with the token, or directly from a network of `settings.METRICS_NETWORKS`."""

import hmac
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse

FORWARDED = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded", "X-Real-IP", "Via")
"""Headers that proxies set. Such a request comes from behind a proxy, whose own address may be in the networks."""


def may_look(request: HttpRequest) -> bool:
    """Return whether the request carries the token, or comes directly from one of `settings.METRICS_NETWORKS`."""
    return _has_token(request) or _is_near(request)


def was_sent_from(request: HttpRequest, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Return whether the request's connection comes from one of the networks."""
    try:
        address = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:  # a Unix socket has no address
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


def denial() -> HttpResponse:
    """Return the answer to a request without access: 401 if a token is configured, otherwise 403."""
    if settings.METRICS_TOKEN:
        return HttpResponse("a token is needed\n", "text/plain", 401, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse("not from here\n", "text/plain", 403)


def _has_token(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    wanted = settings.METRICS_TOKEN
    return bool(wanted) and scheme.lower() == "bearer" and hmac.compare_digest(token.encode(), wanted.encode())


def _is_near(request: HttpRequest) -> bool:
    if any(header in request.headers for header in FORWARDED) or was_sent_from(request, settings.TRUSTED_PROXIES):
        return False
    return was_sent_from(request, settings.METRICS_NETWORKS)
