"""`/checkouts`, `/checkouts/{checkout_id}` and its cancellation."""

from http import HTTPStatus
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.idempotency import idempotency_key
from orchestration.api.json_body import UNREADABLE, read_json
from orchestration.api.outcomes import Answers
from orchestration.api.prefer_header import preferred_wait
from orchestration.api.schema import CHALLENGE, IDEMPOTENCY_KEY, PREFER, problems, response_header
from orchestration.db import clocks
from orders.api.carts import CheckoutRequest
from orders.api.change_start import change_url
from orders.api.checkout_values import as_accepted, as_state
from orders.api.customers import customer_id
from orders.api.late_cancellation import cancel_placed_order
from orders.api.placement import Accepted, Attempt, accept
from orders.api.progress import AlreadyPlaced, Checkout, cancel, checkout_of, decided
from orders.api.representations import AcceptedCheckout, CheckoutState
from orders.api.views import CustomerView


class Checkouts(CustomerView):
    """Starts checkouts."""

    @extend_schema(
        operation_id="create_checkout",
        tags=["checkouts"],
        summary="Place an order",
        description=(
            "Accepts a cart and places the order behind the scenes. Send it again, with the same `Idempotency-Key` and "
            "the same body, as often as you like: it is one purchase, and every reply is the same."
        ),
        parameters=[
            IDEMPOTENCY_KEY,
            PREFER,
            response_header("Location", "Where to look for the outcome.", 200, 202, 422),
            response_header("Retry-After", "Seconds after which to look, or to try again.", 202, 409, 503, kind=int),
            CHALLENGE,
            response_header("Preference-Applied", "`wait=N`, as it was honoured.", 200, 202),
        ],
        request={"application/json": CheckoutRequest},
        responses={
            200: OpenApiResponse(CheckoutState, description="Decided within the time of `Prefer: wait=N`."),
            202: OpenApiResponse(AcceptedCheckout, description="Accepted."),
            **problems(
                *UNREADABLE,
                HTTPStatus.CONFLICT,
                bad_request="idempotency_key_missing, idempotency_key_malformed, card_number, malformed_json, "
                "body_unreadable",
                conflict="idempotency_key_in_progress: the first request with this key is not finished; try again.",
                request_entity_too_large="body_too_large: more than 64 KB.",
                unprocessable_entity="validation_failed, price_changed (`total` is the actual one), "
                "idempotency_key_reused (`checkout_id` and Location name the checkout it stands for)",
            ),
        },
    )
    def post(self, request: Request) -> Response:
        asked = {"customer_id": customer_id(request), "idempotency_key": idempotency_key(request)}
        body, wait, now = read_json(request), preferred_wait(request), clocks.now()
        attempt = Attempt(**asked, body=body, checkout_id=clocks.new_id(now))
        return _ANSWERS.answer(attempt.checkout_id, lambda: accept(attempt, now=now), wait)


class OneCheckout(CustomerView):
    """One of the customer's checkouts."""

    @extend_schema(
        operation_id="get_checkout",
        tags=["checkouts"],
        summary="Where a checkout stands",
        description="Checkouts of other customers are not found.",
        parameters=[CHALLENGE],
        responses={200: CheckoutState, **problems(HTTPStatus.NOT_FOUND)},
    )
    def get(self, request: Request, checkout_id: UUID) -> Response:
        """Show a checkout.

        :raises NoSuchCheckout: also when it belongs to another customer.
        """
        return Response(as_state(checkout_of(customer_id(request), checkout_id)))


class Cancellation(CustomerView):
    """Cancels a checkout."""

    @extend_schema(
        operation_id="cancel_checkout",
        tags=["checkouts"],
        summary="Cancel a checkout, or the order that it has placed",
        description="Its steps are undone: `status` is `cancelling`, then `cancelled`. Once the order is placed, this "
        "starts its cancellation as `POST /orders/{id}/cancel` does, and Location names that change. A repeated "
        "request is no error: it finds the same cancellation, and starts a new one only if that one has failed.",
        parameters=[
            CHALLENGE,
            response_header("Location", "The change that cancels the placed order, if it is placed.", 202),
        ],
        request=None,
        responses={
            202: CheckoutState,
            **problems(
                HTTPStatus.NOT_FOUND,
                HTTPStatus.CONFLICT,
                conflict="already_dispatched: a parcel of the placed order was handed over. order_cancelled.",
            ),
        },
    )
    def post(self, request: Request, checkout_id: UUID) -> Response:
        """Cancel a checkout, or the order that it has placed, and show its state.

        :raises NoSuchCheckout: also when it belongs to another customer.
        :raises Problem: when the order is placed and does not allow it.
        """
        customer, now, headers = customer_id(request), clocks.now(), {}
        try:
            cancel(customer, checkout_id, now=now)
        except AlreadyPlaced as placed:
            change_id = cancel_placed_order(placed.order_id, now=now)
            headers = {"Location": change_url(placed.order_id, change_id)}
        return Response(as_state(checkout_of(customer, checkout_id)), HTTPStatus.ACCEPTED, headers=headers)


def _location(accepted: Accepted) -> str:
    return reverse("checkout", args=[accepted.id])


_ANSWERS = Answers[Accepted, Checkout](
    location=_location,
    decided=lambda accepted: decided(accepted.request.customer_id, accepted.id),
    accepted_body=as_accepted,
    decided_body=as_state,
)
