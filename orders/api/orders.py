"""`/orders` and `/orders/{order_id}`."""

from http import HTTPStatus
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.pagination import Pages
from orchestration.api.schema import CHALLENGE, problems
from orders.api.access import order_for
from orders.api.customers import customer_id
from orders.api.representations import OrderShown
from orders.api.views import CustomerView
from orders.selectors import orders_of


class OrderPages(Pages):
    page_size = 20
    ordering = ("-placed_at", "-id")


class Orders(CustomerView):
    """The customer's orders."""

    pagination_class = OrderPages

    @extend_schema(
        operation_id="list_orders",
        tags=["orders"],
        summary="Your orders, newest first",
        description="Every order is the confirmed end of a checkout.",
        parameters=[CHALLENGE],
        responses={(200, "application/json"): OrderShown(many=True), **problems(HTTPStatus.BAD_REQUEST)},
    )
    def get(self, request: Request) -> Response:
        pages = self.pagination_class()
        orders = pages.paginate_queryset(orders_of(customer_id(request)), request, self)
        return pages.get_paginated_response(OrderShown(orders, many=True).data)


class OneOrder(CustomerView):
    """An order."""

    @extend_schema(
        operation_id="get_order",
        tags=["orders"],
        summary="One of your orders",
        description="Orders of other customers are not found. Staff with a permission for orders see every order.",
        parameters=[CHALLENGE],
        responses={200: OrderShown, **problems(HTTPStatus.NOT_FOUND)},
    )
    def get(self, request: Request, order_id: UUID) -> Response:
        """Show an order.

        :raises NoSuchOrder: also when it belongs to another customer.
        """
        return Response(OrderShown(order_for(request, order_id).order).data)
