"""Content negotiation (RFC 9110, section 12.5.1)."""

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

from orchestration.api.problems import CONTENT_TYPE


class Negotiation(DefaultContentNegotiation):
    """REST framework's negotiation. A client that accepts only problem documents also gets JSON.

    Such a client names the format that it wants for errors. A 406 would refuse every one of its requests.
    """

    def get_accept_list(self, request: Request) -> list[str]:
        """Return the media types of the Accept header, with JSON added if problem documents are among them."""
        accepted: list[str] = super().get_accept_list(request)
        named = (media_type.partition(";")[0].strip().lower() for media_type in accepted)
        return [*accepted, "application/json"] if CONTENT_TYPE in named else accepted
