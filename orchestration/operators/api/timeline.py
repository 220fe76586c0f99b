"""`/sagas/{saga_id}/timeline` and `/stats`: the picture of a saga, and the shop's figures."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.schema import CHALLENGE, problems
from orchestration.db import clocks
from orchestration.operators.api.permissions import StaffView
from orchestration.operators.api.sagas import TAGS, saga_view_or_404
from orchestration.operators.insight import overview
from orchestration.operators.insight.timeline_svg import timeline_svg
from orchestration.operators.representations.figures import FiguresShown

SVG = "image/svg+xml"


class Svg(JSONRenderer):
    """A renderer that sends an SVG unchanged, and a problem as JSON."""

    media_type, format = SVG, "svg"

    def render(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        return data.encode() if isinstance(data, str) else super().render(data, *args, **kwargs)


class Timeline(StaffView):
    """A saga drawn."""

    renderer_classes = (Svg,)

    @extend_schema(
        operation_id="draw_saga",
        tags=TAGS,
        summary="What happened to it when, as a picture with titles for screen readers",
        parameters=[CHALLENGE],
        responses={(200, SVG): OpenApiTypes.STR, **problems(HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN)},
    )
    def get(self, request: Request, saga_id: UUID) -> Response:
        return Response(timeline_svg(saga_view_or_404(saga_id), clocks.now()))


class ShopFigures(StaffView):
    """The shop's figures."""

    @extend_schema(
        operation_id="get_stats",
        tags=TAGS,
        summary="How fast sagas come and go over the last fifteen minutes, what waits, and what holds them up",
        description="A source that does not answer is named in `unread`, and the others are there.",
        parameters=[CHALLENGE],
        responses={200: FiguresShown, **problems(HTTPStatus.FORBIDDEN)},
    )
    def get(self, request: Request) -> Response:
        return Response(FiguresShown.of(overview.read(now=clocks.now())))
