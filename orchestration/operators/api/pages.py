"""Pagination of lists for staff: the query parameters, and the answer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.request import Request

from orchestration.api.pagination import InvalidCursor
from orchestration.operators.insight.keyset import BadCursor, Order, page_of

LONGEST_CURSOR = 200
PAGE, LARGEST_PAGE = 50, 200
_Row = TypeVar("_Row", bound=Model)


class Paged(serializers.Serializer[Any]):
    """Which page."""

    cursor = serializers.CharField(max_length=LONGEST_CURSOR, required=False, help_text="From `next` of another page.")
    limit = serializers.IntegerField(min_value=1, max_value=LARGEST_PAGE, default=PAGE)


def page(
    request: Request,
    query: Mapping[str, Any],
    rows: QuerySet[_Row],
    order: Order,
    show: Callable[[Sequence[_Row]], Iterable[dict[str, Any]]],
) -> dict[str, Any]:
    """Return `results` and `next` of the page that a `Paged` query asks for.

    :raises InvalidCursor: when the cursor is not one of this list.
    """
    try:
        found = page_of(rows, order, after=query.get("cursor", ""), size=query["limit"])
    except BadCursor as error:
        raise InvalidCursor from error
    return {"results": list(show(found.rows)), "next": _next(request, found.next)}


def _next(request: Request, cursor: str) -> str | None:
    if not cursor:
        return None
    query = request.query_params.copy()
    query["cursor"] = cursor
    address: Any = request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
    return str(address)
