"""Which representation a client would take (RFC 9110, section 12.5.1)."""

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

from orchestration.api.problems import CONTENT_TYPE


class Negotiation(DefaultContentNegotiation):
    """REST framework's; a client that names problem documents alone takes whatever there is, too.

    Such a client asks for the form of errors. Refusing its request for that would be an error in a form of our own.
    """

    def get_accept_list(self, request: Request) -> list[str]:
        """Give the media types that the client accepts, as they stand in the header."""
        accepted: list[str] = super().get_accept_list(request)
        named = (media_type.partition(";")[0].strip().lower() for media_type in accepted)
        return [*accepted, "application/json"] if CONTENT_TYPE in named else accepted
