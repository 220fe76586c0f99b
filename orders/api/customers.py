"""The customer of a request, in the form in which sagas and orders store it."""

from rest_framework.request import Request


def customer_id(request: Request) -> str:
    """Return the id of the authenticated customer."""
    return str(request.user.pk)
