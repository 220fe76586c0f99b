"""`/products`."""

from http import HTTPStatus

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.pagination import Pages
from orchestration.api.schema import CHALLENGE, problems
from orchestration.contracts.inventory import available_units
from orchestration.participant.participant import ask
from orders.api.representations import ProductShown
from orders.api.views import CustomerView
from orders.selectors import products_on_sale


class ProductPages(Pages):
    page_size = 100
    ordering = "sku"


class Products(CustomerView):
    """Lists the products on sale."""

    pagination_class = ProductPages

    @extend_schema(
        operation_id="list_products",
        tags=["products"],
        summary="What is on sale, its price, and how much of it can be bought now",
        description="Sorted by SKU. What is available now may be gone later: the checkout then fails.",
        parameters=[CHALLENGE],
        responses={(200, "application/json"): ProductShown(many=True), **problems(HTTPStatus.BAD_REQUEST)},
    )
    def get(self, request: Request) -> Response:
        pages = self.pagination_class()
        products = pages.paginate_queryset(products_on_sale(), request, self)
        units = ask(available_units, [product.sku for product in products])
        shown = ProductShown(products, many=True, context={"available_units": units})
        return pages.get_paginated_response(shown.data)
