"""The base class of all resources for customers."""

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.views import APIView

from orchestration.db import deadline

ANSWERED_WITHIN_S = 2.0
"""If its servers take longer, a request gets 503. Its client may send it again with the same key."""


class CustomerView(APIView):
    """A resource that answers within a bound, even if a server hangs."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Bound all waits for servers, including those of authentication."""
        with deadline.within(ANSWERED_WITHIN_S):
            return super().dispatch(request, *args, **kwargs)
