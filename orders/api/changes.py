"""`/orders/{order_id}/changes`, and the changes that customers and staff ask for."""

from dataclasses import replace
from http import HTTPStatus
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.idempotency import idempotency_key
from orchestration.api.json_body import UNREADABLE, read_optional_json
from orchestration.api.outcomes import Answers
from orchestration.api.pagination import Pages
from orchestration.api.prefer_header import preferred_wait
from orchestration.api.problems import FieldError, ValidationFailed
from orchestration.api.schema import CHALLENGE, IDEMPOTENCY_KEY, PREFER, problems, response_header
from orchestration.contracts.order_changes import ChangeKind
from orchestration.contracts.values import SkuQuantity
from orchestration.db import clocks
from orchestration.operators.api.permissions import Staff
from orders.api.access import CANCEL_ORDER, DISPATCH_ORDER, REFUND_ORDER, Access, NoSuchOrder, order_for
from orders.api.change_bodies import Cancellation, ChangeAsked, ChangeBody, Dispatch, Refund
from orders.api.change_progress import Change, change_of, decided_change, rows_of, shown
from orders.api.change_representations import AcceptedChangeShown, ChangeShown, ChangeState
from orders.api.change_start import AcceptedChange, ChangeAttempt, change_url, start_change
from orders.api.change_values import as_accepted_change, as_change, as_change_state
from orders.api.views import CustomerView
from orders.models import ReturnRequest

TAGS = ["order changes"]
HEADERS = [
    IDEMPOTENCY_KEY,
    PREFER,
    CHALLENGE,
    response_header("Location", "Where to look for the outcome.", 200, 202, 409, 422),
    response_header("Retry-After", "Seconds after which to look, or to try again.", 202, 409, 503, kind=int),
    response_header("Preference-Applied", "`wait=N`, as it was honoured.", 200, 202),
]
CONFLICTS = (
    "order_busy (another change of the order was still under way after 30 s), order_cancelled, "
    "idempotency_key_in_progress"
)
AT_FAULT = "validation_failed, idempotency_key_reused (`change_id` and Location name the change it stands for)"


def answers(*statuses: HTTPStatus, conflict: str, at_fault: str = "") -> dict[Any, Any]:
    """Describe the responses of a request that starts a change."""
    return {
        200: OpenApiResponse(ChangeState, description="Decided within the time of `Prefer: wait=N`."),
        202: OpenApiResponse(AcceptedChangeShown, description="Accepted."),
        **problems(
            *UNREADABLE,
            *statuses,
            HTTPStatus.NOT_FOUND,
            HTTPStatus.CONFLICT,
            conflict=f"{CONFLICTS}, {conflict}",
            unprocessable_entity=f"{AT_FAULT}{at_fault}",
        ),
    }


class ChangePages(Pages):
    page_size = 20
    ordering = ("-id",)


class Changes(CustomerView):
    """The changes of an order."""

    pagination_class = ChangePages

    @extend_schema(
        operation_id="list_order_changes",
        tags=TAGS,
        summary="The changes of an order, newest first",
        description="Staff with a permission for orders see those of every order.",
        parameters=[CHALLENGE],
        responses={
            (200, "application/json"): ChangeShown(many=True),
            **problems(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
        },
    )
    def get(self, request: Request, order_id: UUID) -> Response:
        access = order_for(request, order_id)
        pages = self.pagination_class()
        rows = pages.paginate_queryset(rows_of(order_id), request, self)
        found = [as_change(shown(access.order, each), access=access) for each in rows]
        return pages.get_paginated_response(found)


class OneChange(CustomerView):
    """A change of an order."""

    @extend_schema(
        operation_id="get_order_change",
        tags=TAGS,
        summary="Where a change of an order stands",
        parameters=[CHALLENGE],
        responses={200: ChangeState, **problems(HTTPStatus.NOT_FOUND)},
    )
    def get(self, request: Request, order_id: UUID, change_id: UUID) -> Response:
        """Show a change.

        :raises NoSuchOrder: also when the order is another customer's, or the change is of another order.
        """
        access = order_for(request, order_id)
        change = change_of(access.order, change_id)
        if change is None:
            raise NoSuchOrder
        return Response(as_change_state(change, access=access))


class OrderCancellation(CustomerView):
    """Cancels an order."""

    @extend_schema(
        operation_id="cancel_order",
        tags=TAGS,
        summary="Cancel an order whose parcel was not handed over",
        description="Stops the parcel, gives the money back and puts the units on sale again. Also for staff with "
        "`orders.cancel_order`, who must give a reason.",
        parameters=HEADERS,
        request={"application/json": Cancellation},
        responses=answers(conflict="already_dispatched"),
    )
    def post(self, request: Request, order_id: UUID) -> Response:
        access = order_for(request, order_id, [CANCEL_ORDER])
        return post_change(request, access, ChangeKind.CANCEL, Cancellation)


class Refunds(CustomerView):
    """Gives money back."""

    permission_classes = (Staff,)
    needs = {"POST": (REFUND_ORDER,)}

    @extend_schema(
        operation_id="refund_order",
        tags=[*TAGS, "staff"],
        summary="Give back a part or all of the money of an order",
        description="Never more than was taken. Several refunds of one order are possible.",
        parameters=HEADERS,
        request={"application/json": Refund},
        responses=answers(
            HTTPStatus.FORBIDDEN,
            conflict="nothing_left",
            at_fault=", refund_exceeds_paid (`refundable` is what is left), quantity_exceeds_ordered, unknown_sku",
        ),
    )
    def post(self, request: Request, order_id: UUID) -> Response:
        access = order_for(request, order_id, [REFUND_ORDER], as_staff=True)
        return post_change(request, access, ChangeKind.REFUND, Refund)


class Dispatches(CustomerView):
    """Records parcels."""

    permission_classes = (Staff,)
    needs = {"POST": (DISPATCH_ORDER,)}

    @extend_schema(
        operation_id="dispatch_order",
        tags=[*TAGS, "staff"],
        summary="Record that a parcel was handed over to the carrier",
        description="The first parcel of an order is the one that was booked. Further ones have a `parcel_number`.",
        parameters=HEADERS,
        request={"application/json": Dispatch},
        responses=answers(
            HTTPStatus.FORBIDDEN, conflict="nothing_left", at_fault=", quantity_exceeds_ordered, unknown_sku"
        ),
    )
    def post(self, request: Request, order_id: UUID) -> Response:
        access = order_for(request, order_id, [DISPATCH_ORDER], as_staff=True)
        return post_change(request, access, ChangeKind.DISPATCH, Dispatch)


def post_change(
    request: Request,
    access: Access,
    kind: ChangeKind,
    body: type[ChangeBody],
    return_request: ReturnRequest | None = None,
) -> Response:
    """Start the change that the request asks for, and answer it.

    :raises Problem: when it cannot be read or is refused, also by the saga within the time of `Prefer: wait`.
    """
    key, sent, now = idempotency_key(request), read_optional_json(request), clocks.now()
    attempt = ChangeAttempt(kind, access, clocks.new_id(now), key, sent.sha256, return_request)

    def asked() -> ChangeAsked:
        return completed(body().asked(kind, sent.value, access.order), access, return_request)

    return _answers(access).answer(
        attempt.change_id, lambda: start_change(attempt, asked, now=now), preferred_wait(request)
    )


def completed(asked: ChangeAsked, access: Access, return_request: ReturnRequest | None) -> ChangeAsked:
    """Return the change, with lines and reason of the return request where the body has none.

    :raises ValidationFailed: when staff give no reason.
    """
    if return_request:
        lines = asked.lines or tuple(SkuQuantity(**line) for line in return_request.lines)
        asked = replace(asked, lines=lines, reason=asked.reason or return_request.reason)
    if access.is_staff and not asked.reason and asked.kind is not ChangeKind.DISPATCH:
        raise ValidationFailed(errors=[FieldError("/reason", "required", "Staff must give a reason.")])
    return asked


def _answers(access: Access) -> Answers[AcceptedChange, Change]:
    def location(accepted: AcceptedChange) -> str:
        return change_url(access.order.pk, accepted.id)

    def decided_body(change: Change) -> dict[str, Any]:
        if change.failure and change.failure.is_refusal:
            raise change.failure.problem(Location=change_url(access.order.pk, change.id))
        return as_change_state(change, access=access)

    return Answers(
        location=location,
        decided=lambda accepted: decided_change(access.order, accepted.id),
        accepted_body=as_accepted_change,
        decided_body=decided_body,
    )
