"""`/machinery-log`: what operators did to breakers and dead letters."""

from http import HTTPStatus

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.schema import CHALLENGE, problems
from orchestration.models import ALIAS, MachineryLogEntry
from orchestration.operators.api import filters
from orchestration.operators.api.pages import Paged, page
from orchestration.operators.api.permissions import StaffView
from orchestration.operators.api.sagas import INVALID, TAGS
from orchestration.operators.insight.keyset import ByNumber
from orchestration.operators.representations.machinery import MachineryLogEntryShown, MachineryLogPage


class MachineryLog(StaffView):
    """What operators did to the machinery."""

    @extend_schema(
        operation_id="list_machinery_log",
        tags=TAGS,
        summary="What operators did to breakers and dead letters and why, the newest first",
        parameters=[Paged, CHALLENGE],
        responses={
            200: MachineryLogPage,
            **problems(HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, bad_request=INVALID),
        },
    )
    def get(self, request: Request) -> Response:
        entries = MachineryLogEntry.objects.using(ALIAS).all()
        return Response(
            page(request, filters.asked(request, Paged), entries, ByNumber(), MachineryLogEntryShown.of_each)
        )
