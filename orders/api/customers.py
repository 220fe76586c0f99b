"""Who a request is from, as sagas and orders name them."""

from rest_framework.request import Request


def customer_id(request: Request) -> str:
    """The id of the authenticated customer."""
    return str(request.user.pk)
