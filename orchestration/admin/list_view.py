"""The list of sagas, with filters, search and keyset pagination."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import QueryDict

from orchestration.admin.filters import Filter, parameters_of
from orchestration.models import SagaInstance
from orchestration.models.actions import OperatorAction
from orchestration.operators.actions.permissions import allowed
from orchestration.operators.insight import counts, keyset
from orchestration.operators.insight.saga_filter import SagaFilter, condition
from orchestration.operators.insight.search import NEWEST_FIRST, newest_sagas, search_if_any
from orchestration.operators.insight.status import attempt_of, status_of, step_of
from orchestration.text import formatting

PAGE_SIZE = 50


@dataclass(frozen=True)
class SagaLine:
    """One saga in the list."""

    pk: Any
    status: str
    order_id: Any
    step: str
    attempt: str
    age: str
    moved: str
    error: str
    definition: str


@dataclass(frozen=True)
class Tab:
    """A preset list that operators open every day; `query` is its URL query."""

    name: str
    query: dict[str, Any]
    count: counts.Count
    is_open: bool


def list_of(given: QueryDict, user: Any, *, now: datetime) -> dict[str, Any]:
    """Return the template's context. An invalid filter finds nothing."""
    form = Filter(given)
    wanted = form.wanted() if form.is_valid() else None
    context = {"form": form, "tabs": _tabs(wanted, now), "actions": actions_on_many(user), "rows": [], "unread": ()}
    if wanted is None:
        return context
    found = search_if_any(form.cleaned_data["q"])
    sagas = newest_sagas().filter(condition(wanted, now=now), found.condition)
    try:
        page = keyset.page_of(sagas, NEWEST_FIRST, after=given.get("after", ""), size=PAGE_SIZE)
    except keyset.BadCursor as error:
        return context | {"complaint": str(error)}
    kept = {name: given.getlist(name) for name in given if name != "after"}
    return context | {
        "rows": [_row(instance, now) for instance in page.rows],
        "next": {**kept, "after": page.next} if page.next else None,
        "first": kept if given.get("after") else None,
        "count": counts.estimate_of(sagas),
        "unread": found.unread,
        "words": wanted.in_words(),
        "wanted": parameters_of(wanted),
        "searched": form.cleaned_data["q"],
    }


def _row(instance: SagaInstance, now: datetime) -> SagaLine:
    attempt = attempt_of(instance)
    return SagaLine(
        pk=instance.pk,
        status=status_of(instance).value,
        order_id=instance.order_id or formatting.NOTHING,
        step=step_of(instance) or formatting.NOTHING,
        attempt=attempt.in_words(now) if attempt else "",
        age=formatting.span(now - instance.created_at),
        moved=formatting.span(now - instance.changed_at),
        error=instance.last_error or formatting.NOTHING,
        definition=instance.definition,
    )


def _tabs(open_one: SagaFilter | None, now: datetime) -> list[Tab]:
    presets, sizes = counts.presets(now=now), counts.preset_counts(now=now)
    return [
        Tab(name, parameters_of(preset), sizes[name], parameters_of(preset) == (open_one and parameters_of(open_one)))
        for name, preset in presets.items()
    ]


def actions_on_many(user: Any) -> list[OperatorAction]:
    """Return the actions that this user may take on many sagas."""
    return [action for action in OperatorAction if allowed(user, action)]
