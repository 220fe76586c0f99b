"""The saga filters as query parameters: the same filters as in admin and commands."""

from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from orchestration.api.problems import Problem, field_errors
from orchestration.operators.api.pages import Paged
from orchestration.operators.insight.filter_table import FILTERS, FilterRow, ValueKind
from orchestration.operators.insight.status import WORDS_FOR_STATUSES

LONGEST = 200  # characters of a filter's text
MOST_TRIES = 100_000
LONGEST_STUCK_S = 100_000_000


class InvalidFilter(Problem):
    """The query does not say what is wanted."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid_filter"


def filter_fields(*, many: Any, text: Any, flag: Any, number: Any, help_of: Callable[[FilterRow], str]) -> Any:
    """Return serializer fields for the filters, by name, made of these field classes. `ids` gets no field."""
    kinds: Mapping[ValueKind, Any] = {
        ValueKind.STATUSES: lambda **options: many(child=serializers.ChoiceField(WORDS_FOR_STATUSES), **options),
        ValueKind.TEXTS: lambda **options: many(child=text(max_length=LONGEST), **options),
        ValueKind.FLAG: flag,
        ValueKind.NUMBER: partial(number, min_value=0, max_value=MOST_TRIES),
        ValueKind.SPAN: partial(number, min_value=1, max_value=LONGEST_STUCK_S),
        ValueKind.TIME: serializers.DateTimeField,
        ValueKind.TEXT: partial(text, max_length=LONGEST),
    }
    rows = (row for row in FILTERS if row.kind in kinds)
    return {row.name: kinds[row.kind](required=False, help_text=help_of(row) or None) for row in rows}


_QUERY = partial(
    filter_fields,
    many=serializers.ListField,
    text=serializers.CharField,
    flag=serializers.BooleanField,
    number=serializers.IntegerField,
    help_of=lambda row: row.help,
)


class Filters(serializers.Serializer[Any]):
    """Each narrows; one that is given several times widens."""

    search = serializers.CharField(
        max_length=LONGEST,
        required=False,
        help_text="A saga, order, customer, e-mail, key or reference.",
    )

    def get_fields(self) -> dict[str, Any]:
        """Return the fields of the table, then those of this class."""
        return {**_QUERY(), **super().get_fields()}


class Listed(Filters, Paged):
    """Filters, and which page."""


def asked(request: Request, serializer: type[serializers.Serializer[Any]] = Filters) -> dict[str, Any]:
    """Return the validated query.

    :raises InvalidFilter: when a parameter is invalid; `errors` names the parameters.
    """
    read = serializer(data=_plain(request, serializer().fields))
    if not read.is_valid():
        raise InvalidFilter(errors=field_errors(read.errors))
    return dict(read.validated_data)


def _plain(request: Request, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the query as a JSON object. REST framework would take an empty value of a form for a missing one."""
    query = request.query_params
    lists = {name for name, field in fields.items() if isinstance(field, serializers.ListField)}
    return {name: query.getlist(name) if name in lists else query[name] for name in query}
