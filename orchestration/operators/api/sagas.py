"""`/sagas` and `/sagas/{saga_id}`, with the why line and the operator log."""

from http import HTTPStatus
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.problems import Problem
from orchestration.api.schema import CHALLENGE, problems, response_header
from orchestration.db import clocks
from orchestration.models import ALIAS, OperatorLogEntry
from orchestration.operators.api import filters
from orchestration.operators.api.filters import Filters, Listed
from orchestration.operators.api.pages import Paged, page
from orchestration.operators.api.permissions import StaffView
from orchestration.operators.insight.counts import count_of
from orchestration.operators.insight.keyset import ByNumber
from orchestration.operators.insight.saga_filter import matching, saga_filter_from
from orchestration.operators.insight.saga_view import SagaView, saga_view_of
from orchestration.operators.insight.search import NEWEST_FIRST, search_if_any
from orchestration.operators.insight.why import why
from orchestration.operators.representations.actions import LogEntryShown, LogPage
from orchestration.operators.representations.sagas import Counted, SagaPage, SagaRow, SagaWhole, WhyShown

INVALID_FILTER = "invalid_filter: `errors` name the parameters."
INVALID = "invalid_filter (`errors` name the parameters), invalid_cursor"
TAGS = ["staff"]


class SagaNotFound(Problem):
    """There is no such saga."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class Sagas(StaffView):
    """Every saga."""

    @extend_schema(
        operation_id="list_sagas",
        tags=TAGS,
        summary="Sagas, the newest first",
        description="As `manage.py saga list`. Each filter narrows; one that is given several times widens.",
        parameters=[Listed, CHALLENGE],
        responses={
            200: SagaPage,
            **problems(HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, bad_request=INVALID),
        },
    )
    def get(self, request: Request) -> Response:
        query = filters.asked(request, Listed)
        found = search_if_any(query.get("search", ""))
        sagas = matching(saga_filter_from(query), now=clocks.now()).filter(found.condition)
        return Response({**page(request, query, sagas, NEWEST_FIRST, SagaRow.of_each), "unread": list(found.unread)})


class SagaCount(StaffView):
    """How many there are."""

    @extend_schema(
        operation_id="count_sagas",
        tags=TAGS,
        summary="How many sagas there are, counted to a thousand",
        parameters=[Filters, CHALLENGE],
        responses={
            200: Counted,
            **problems(HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, bad_request=INVALID_FILTER),
        },
    )
    def get(self, request: Request) -> Response:
        query = filters.asked(request)
        sagas = matching(saga_filter_from(query), now=clocks.now()).filter(
            search_if_any(query.get("search", "")).condition
        )
        return Response(Counted.of(count_of(sagas)))


class OneSaga(StaffView):
    """One saga whole."""

    @extend_schema(
        operation_id="get_saga",
        tags=TAGS,
        summary="One saga: its row, steps, log, and what every service remembers",
        description="As `manage.py saga show`; secrets are hidden. A ledger that cannot be read is null.",
        parameters=[CHALLENGE, response_header("ETag", "The saga's version, for `If-Match`.", 200)],
        responses={200: SagaWhole, **problems(HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN)},
    )
    def get(self, request: Request, saga_id: UUID) -> Response:
        view = saga_view_or_404(saga_id)
        return Response(SagaWhole.of(view), headers={"ETag": f'"{view.instance.version}"'})


class WhyOfSaga(StaffView):
    """Why a saga does not move."""

    @extend_schema(
        operation_id="why_saga",
        tags=TAGS,
        summary="Why it does not move, and what happens next",
        parameters=[CHALLENGE],
        responses={200: WhyShown, **problems(HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN)},
    )
    def get(self, request: Request, saga_id: UUID) -> Response:
        found = why(saga_id)
        if found is None:
            raise SagaNotFound
        return Response(WhyShown.of(found))


class OperatorLog(StaffView):
    """What operators did to a saga."""

    @extend_schema(
        operation_id="list_operator_log",
        tags=TAGS,
        summary="What operators did to it and why, the newest first",
        description="It outlasts the saga: that of a purged one is still there, and of none is empty.",
        parameters=[Paged, CHALLENGE],
        responses={
            200: LogPage,
            **problems(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN, bad_request=INVALID),
        },
    )
    def get(self, request: Request, saga_id: UUID) -> Response:
        entries = OperatorLogEntry.objects.using(ALIAS).filter(saga_id=saga_id)
        return Response(page(request, filters.asked(request, Paged), entries, ByNumber(), LogEntryShown.of_each))


def saga_view_or_404(saga_id: UUID) -> SagaView:
    """Return the view of the saga.

    :raises SagaNotFound: when there is no such saga.
    """
    view = saga_view_of(saga_id)
    if view is None:
        raise SagaNotFound
    return view
