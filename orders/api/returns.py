"""`/orders/{order_id}/returns` and `/returns/{return_id}`: what customers send back."""

from collections.abc import Collection
from http import HTTPStatus
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.idempotency import KeyReusedProblem, idempotency_key
from orchestration.api.json_body import UNREADABLE, read_json
from orchestration.api.schema import CHALLENGE, IDEMPOTENCY_KEY, problems, response_header
from orchestration.contracts.order_changes import ChangeKind
from orchestration.db import clocks
from orchestration.operators.api.permissions import Staff
from orders.api.access import READ, RECEIVE_RETURN, Access, NoSuchOrder, order_for
from orders.api.change_bodies import Receipt, ReturnAsked
from orders.api.change_refusals import ENDED, UNKNOWN_RETURN
from orders.api.change_representations import ReturnShown
from orders.api.change_start import refusals_as_problems
from orders.api.change_values import as_return
from orders.api.changes import HEADERS, TAGS, ChangePages, answers, post_change
from orders.api.views import CustomerView
from orders.models import ReturnRequest
from orders.returns import refuse_return, request_return
from orders.selectors import return_request, return_requests_of


class Returns(CustomerView):
    """The return requests of an order."""

    pagination_class = ChangePages

    @extend_schema(
        operation_id="list_returns",
        tags=TAGS,
        summary="The return requests of an order, newest first",
        parameters=[CHALLENGE],
        responses={
            (200, "application/json"): ReturnShown(many=True),
            **problems(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
        },
    )
    def get(self, request: Request, order_id: UUID) -> Response:
        access, now = order_for(request, order_id), clocks.now()
        pages = self.pagination_class()
        found = pages.paginate_queryset(return_requests_of(order_id), request, self)
        return pages.get_paginated_response([as_return(each, access=access, now=now) for each in found])

    @extend_schema(
        operation_id="request_return",
        tags=TAGS,
        summary="Ask to send back units of an order",
        description="The money goes back when the parcel is received. Until then other changes of the order go on. "
        "Also for staff with `orders.receive_return`.",
        parameters=[
            IDEMPOTENCY_KEY,
            CHALLENGE,
            response_header("Location", "The return request.", 201, 422),
        ],
        request={"application/json": ReturnAsked},
        responses={
            201: OpenApiResponse(
                ReturnShown, description="Recorded. Every reply to the same Idempotency-Key names it."
            ),
            **problems(
                *UNREADABLE,
                HTTPStatus.NOT_FOUND,
                HTTPStatus.CONFLICT,
                conflict="nothing_left, order_cancelled",
                unprocessable_entity="validation_failed, quantity_exceeds_ordered, unknown_sku, idempotency_key_reused",
            ),
        },
    )
    def post(self, request: Request, order_id: UUID) -> Response:
        access = order_for(request, order_id, [RECEIVE_RETURN])
        key, sent, now = idempotency_key(request), read_json(request), clocks.now()
        made = access.order.return_requests.filter(requested_by=access.person, idempotency_key=key).first()
        if made is None:
            asked = ReturnAsked().asked(ChangeKind.RETURN, sent.value, access.order)
            with refusals_as_problems(access.order, asked.lines):
                made = request_return(
                    access.order,
                    asked.lines,
                    return_id=clocks.new_id(now),
                    reason=asked.reason,
                    requested_by=access.person,
                    idempotency_key=key,
                    request_hash=sent.sha256,
                    now=now,
                )
        location = {"Location": reverse("return", args=[made.pk])}
        if made.request_hash != sent.sha256:
            raise KeyReusedProblem(headers=location, return_id=str(made.pk))
        return Response(as_return(made, access=access, now=now), HTTPStatus.CREATED, headers=location)


class OneReturn(CustomerView):
    """A return request."""

    @extend_schema(
        operation_id="get_return",
        tags=TAGS,
        summary="A return request",
        parameters=[CHALLENGE],
        responses={200: ReturnShown, **problems(HTTPStatus.NOT_FOUND)},
    )
    def get(self, request: Request, return_id: UUID) -> Response:
        """Show a return request. One of another customer's order is not found."""
        made, access = return_for(request, return_id)
        return Response(as_return(made, access=access, now=clocks.now()))


class Receipts(CustomerView):
    """Receives returned parcels."""

    permission_classes = (Staff,)
    needs = {"POST": (RECEIVE_RETURN,)}

    @extend_schema(
        operation_id="receive_return",
        tags=[*TAGS, "staff"],
        summary="Record that a returned parcel was received: its units are sold again, and their price goes back",
        parameters=HEADERS,
        request={"application/json": Receipt},
        responses=answers(
            HTTPStatus.FORBIDDEN,
            conflict="too_late (the return request has ended), nothing_left",
            at_fault=", refund_exceeds_paid (`refundable` is what is left), quantity_exceeds_ordered, unknown_sku",
        ),
    )
    def post(self, request: Request, return_id: UUID) -> Response:
        made, access = return_for(request, return_id, [RECEIVE_RETURN], as_staff=True)
        return post_change(request, access, ChangeKind.RETURN, Receipt, made)


class Refusals(CustomerView):
    """Refuses return requests."""

    permission_classes = (Staff,)
    needs = {"POST": (RECEIVE_RETURN,)}

    @extend_schema(
        operation_id="refuse_return",
        tags=[*TAGS, "staff"],
        summary="Refuse a return request whose parcel was not received",
        description="A repeated request is no error.",
        parameters=[CHALLENGE],
        request=None,
        responses={
            200: ReturnShown,
            **problems(
                HTTPStatus.FORBIDDEN,
                HTTPStatus.NOT_FOUND,
                HTTPStatus.CONFLICT,
                conflict="too_late: the return request has expired or was received.",
            ),
        },
    )
    def post(self, request: Request, return_id: UUID) -> Response:
        """Refuse a return request and show it.

        :raises Problem: when it has expired or was received.
        """
        made, access = return_for(request, return_id, [RECEIVE_RETURN], as_staff=True)
        now = clocks.now()
        refuse_return(return_id, now=now)
        made.refresh_from_db()
        if made.state != ReturnRequest.State.REFUSED:
            raise ENDED.problem()
        return Response(as_return(made, access=access, now=now))


def return_for(
    request: Request, return_id: UUID, permissions: Collection[str] = READ, *, as_staff: bool = False
) -> tuple[ReturnRequest, Access]:
    """Return the return request, if the user may reach its order. `as_staff`: as in `order_for`.

    :raises Problem: when there is none, also when its order is another customer's.
    """
    made = return_request(return_id)
    if made is None:
        raise UNKNOWN_RETURN.problem()
    try:
        return made, order_for(request, made.order_id, permissions, as_staff=as_staff)
    except NoSuchOrder as error:
        raise UNKNOWN_RETURN.problem() from error
