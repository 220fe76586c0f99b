"""`/machinery-log`: what operators did to breakers and dead letters."""

from functools import partial
from http import HTTPStatus

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.schema import CHALLENGE, problems
from orchestration.models import ALIAS, MachineryLogEntry
from orchestration.operators import representations as shown
from orchestration.operators.api import filters, representations
from orchestration.operators.api.pages import Paged, page
from orchestration.operators.api.permissions import StaffView
from orchestration.operators.api.sagas import INVALID, TAGS
from orchestration.operators.insight.keyset import ByNumber


class MachineryLog(StaffView):
    """What operators did to the machinery."""

    @extend_schema(
        operation_id="list_machinery_log",
        tags=TAGS,
        summary="What operators did to breakers and dead letters and why, the newest first",
        parameters=[Paged, CHALLENGE],
        responses={
            200: representations.MachineryLogPage,
            **problems(HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, bad_request=INVALID),
        },
    )
    def get(self, request: Request) -> Response:
        entries = MachineryLogEntry.objects.using(ALIAS).all()
        return Response(
            page(request, filters.asked(request, Paged), entries, ByNumber(), partial(map, shown.machinery_log_entry))
        )
