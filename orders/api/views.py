"""What all of the customers' resources have in common."""

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.views import APIView

from orchestration import deadline

ANSWERED_WITHIN_S = 2.0
"""A request whose servers take longer is answered 503; its client may send it again with the same key."""


class CustomerView(APIView):
    """A resource that answers its customer in time, whatever its servers do."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Bound the waits for servers, authentication among them."""
        with deadline.within(ANSWERED_WITHIN_S):
            return super().dispatch(request, *args, **kwargs)
