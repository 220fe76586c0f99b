"""`/checkouts`, `/checkouts/{checkout_id}` and its cancellation."""

from datetime import timedelta
from http import HTTPStatus
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.admission import admission
from orchestration.api.completion_listener import Expected, ends
from orchestration.api.idempotency import idempotency_key
from orchestration.api.json_body import UNREADABLE, read_json
from orchestration.api.polling import wait_for
from orchestration.api.prefer_header import preferred_wait
from orchestration.api.schema import CHALLENGE, IDEMPOTENCY_KEY, PREFER, problems, response_header
from orchestration.db import clocks, deadline
from orders.api.carts import CheckoutRequest
from orders.api.checkout_values import as_accepted, as_state
from orders.api.customers import customer_id
from orders.api.placement import Accepted, Attempt, accept
from orders.api.progress import Checkout, cancel, checkout_of, decided
from orders.api.representations import AcceptedCheckout, CheckoutState
from orders.api.views import ANSWERED_WITHIN_S, CustomerView

RETRY_AFTER_S = 1


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
        if not wait:
            return _accepted(accept(attempt, now=now))
        with ends().expected(attempt.checkout_id) as end:  # before the saga starts, or its end could be missed
            accepted = accept(attempt, now=now)
            if accepted.id == attempt.checkout_id:
                return _outcome(attempt, accepted, wait, end)
        with ends().expected(accepted.id) as end:
            return _outcome(attempt, accepted, wait, end)


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
        summary="Cancel a checkout while it is being processed",
        description="Its steps are undone: `status` is `cancelling`, then `cancelled`. A repeated request is no error.",
        parameters=[CHALLENGE],
        request=None,
        responses={
            202: CheckoutState,
            **problems(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, conflict="too_late: the order is placed already."),
        },
    )
    def post(self, request: Request, checkout_id: UUID) -> Response:
        """Cancel a checkout and show its state.

        :raises NoSuchCheckout: also when it belongs to another customer.
        :raises TooLate: when the order is placed already.
        """
        cancel(customer_id(request), checkout_id, now=clocks.now())
        return Response(as_state(checkout_of(customer_id(request), checkout_id)), HTTPStatus.ACCEPTED)


def _outcome(attempt: Attempt, accepted: Accepted, wait: timedelta, end: Expected) -> Response:
    """Return the checkout if it is decided in time, else as it was accepted.

    If too many clients wait already, return it at once.
    """

    def look() -> Checkout | None:
        with deadline.separate_bound(ANSWERED_WITHIN_S):
            return decided(attempt.customer_id, accepted.id)

    with admission().waiting_for_outcome() as has_place:
        if not has_place:
            return _accepted(accepted)
        outcome = wait_for(
            look,
            wait,
            pauses=end.pauses(),
            pause=end.pause,
            at_once=accepted.id != attempt.checkout_id,  # a new one is not decided yet
        )
    applied = {"Preference-Applied": f"wait={wait.seconds}"}
    if outcome is None:
        return _accepted(accepted, **applied)
    return Response(as_state(outcome), headers={"Location": _location(accepted), **applied})


def _accepted(accepted: Accepted, **headers: str) -> Response:
    headers |= {"Location": _location(accepted), "Retry-After": str(RETRY_AFTER_S)}
    return Response(as_accepted(accepted), HTTPStatus.ACCEPTED, headers=headers)


def _location(accepted: Accepted) -> str:
    return reverse("checkout", args=[accepted.id])
