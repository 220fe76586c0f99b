"""Which sagas somebody wants, read from the query: the filters of admin and commands."""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from django.db.models import Q
from rest_framework import serializers
from rest_framework.request import Request

from orchestration.api.problems import Problem, field_errors
from orchestration.operators.api.pages import Paged
from orchestration.operators.insight.saga_filter import Wanted
from orchestration.operators.insight.search import Search, search
from orchestration.operators.insight.status import WORDS_FOR_STATUSES, statuses_meant

LONGEST = 200  # characters of anything that is looked for
MOST_TRIES = 100_000
LONGEST_STUCK_S = 100_000_000


class InvalidFilter(Problem):
    """The query does not say what is wanted."""

    status = HTTPStatus.BAD_REQUEST
    code = "invalid_filter"


class Filters(serializers.Serializer[Any]):
    """Each narrows; one that is given several times widens."""

    status = serializers.ListField(
        child=serializers.ChoiceField(WORDS_FOR_STATUSES),
        required=False,
        help_text="Any of these; `unfinished` is all but completed and compensated.",
    )
    step = serializers.ListField(
        child=serializers.CharField(max_length=LONGEST), required=False, help_text="That fails, or is owed next."
    )
    error = serializers.ListField(
        child=serializers.CharField(max_length=LONGEST), required=False, help_text="How its last try ended."
    )
    definition = serializers.ListField(child=serializers.CharField(max_length=LONGEST), required=False)
    failing = serializers.BooleanField(
        required=False, help_text="A step of it fails or waits for a breaker; what is paused is left out."
    )
    undoing = serializers.BooleanField(
        required=False,
        help_text="It is given up or compensated, also while that is retried, waits or is paused; "
        "what is parked is left out.",
    )
    attempts = serializers.IntegerField(
        min_value=0, max_value=MOST_TRIES, required=False, help_text="Its failing step has failed so often or more."
    )
    stuck_longer_than = serializers.IntegerField(
        min_value=1, max_value=LONGEST_STUCK_S, required=False, help_text="Nothing has moved for so many seconds."
    )
    created_from = serializers.DateTimeField(required=False)
    created_until = serializers.DateTimeField(required=False, help_text="Exclusive.")
    customer = serializers.CharField(max_length=LONGEST, required=False)
    search = serializers.CharField(
        max_length=LONGEST,
        required=False,
        help_text="A saga, order, customer, e-mail, key or reference.",
    )


class Listed(Filters, Paged):
    """Filters, and which page."""


def asked(request: Request, serializer: type[serializers.Serializer[Any]] = Filters) -> dict[str, Any]:
    """Read the query.

    :raises InvalidFilter: naming the parameters at fault.
    """
    read = serializer(data=_plain(request, serializer().fields))
    if not read.is_valid():
        raise InvalidFilter(errors=field_errors(read.errors))
    return dict(read.validated_data)


def wanted(query: Mapping[str, Any]) -> Wanted:
    """The filters as one value."""
    stuck = query.get("stuck_longer_than")
    return Wanted(
        statuses=statuses_meant(query.get("status", ())),
        steps=frozenset(query.get("step", ())),
        errors=frozenset(query.get("error", ())),
        definitions=frozenset(query.get("definition", ())),
        failing=query.get("failing", False),
        undoing=query.get("undoing", False),
        failed_tries_from=query.get("attempts", 0),
        stuck_for=timedelta(seconds=stuck) if stuck else None,
        created_from=query.get("created_from"),
        created_until=query.get("created_until"),
        customer_id=query.get("customer", ""),
        ids=frozenset(query.get("ids", ())),
    )


def looked_up(query: Mapping[str, Any]) -> Search:
    """The sagas that are known by the text, and who could not be asked; every saga when there is none."""
    text = query.get("search", "")
    return search(text) if text else Search(Q(), ())


def _plain(request: Request, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The query as a JSON object; as a form's, REST framework would take an empty value for none."""
    query = request.query_params
    lists = {name for name, field in fields.items() if isinstance(field, serializers.ListField)}
    return {name: query.getlist(name) if name in lists else query[name] for name in query}
