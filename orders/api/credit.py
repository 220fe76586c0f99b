"""`/credit`."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.schema import CHALLENGE, problems
from orchestration.contracts.store_credit import credit_of
from orchestration.participant.participant import ask
from orders.api.customers import customer_id
from orders.api.representations import Money, amount
from orders.api.views import CustomerView


class StoreCredit(CustomerView):
    """Shows the customer's store credit."""

    @extend_schema(
        operation_id="get_credit",
        tags=["checkouts"],
        summary="The store credit that can be spent now, one amount for each currency",
        parameters=[CHALLENGE],
        responses={(200, "application/json"): Money(many=True), **problems()},
    )
    def get(self, request: Request) -> Response:
        balances = ask(credit_of, customer_id(request))
        return Response([amount(balance, currency) for currency, balance in balances.items()])
