"""The page of one entry of the operator log: the request, and the outcome that was observed."""

from datetime import timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

from orchestration.admin.frame import VIEW_SAGAS, for_operators, fragment, page
from orchestration.engine.selectors import saga
from orchestration.models import ALIAS, OperatorLogEntry
from orchestration.operators.actions.outcome_watcher import observe
from orchestration.operators.insight.status import status_of


@for_operators(VIEW_SAGAS)
def entry(request: HttpRequest, entry_id: int) -> HttpResponse:
    """Show the outcome of an action, as far as it is known."""
    found = _found(entry_id)
    title = f"{found.action}: {found.code}".replace("_", " ")
    changes = [(name, _shown(before), _shown(found.after.get(name))) for name, before in found.before.items()]
    return page(request, "operations/entry.html", title, entry=found, changes=changes, **_status(found))


@for_operators(VIEW_SAGAS)
def observed(request: HttpRequest, entry_id: int) -> HttpResponse:
    """Show the outcome. The page repeats the request until the outcome was observed."""
    return fragment(request, "operations/observed.html", entry=_observed_now(entry_id))


@for_operators(VIEW_SAGAS)
def saga_status(request: HttpRequest, entry_id: int) -> HttpResponse:
    """Show the present status of the saga. The page repeats the request until an outcome was observed."""
    found = _observed_now(entry_id)
    return fragment(request, "operations/saga_status.html", entry=found, **_status(found))


def _status(found: OperatorLogEntry) -> dict[str, object]:
    instance = saga(found.saga_id)
    return {"instance": instance, "status": status_of(instance).value if instance else ""}


def _observed_now(entry_id: int) -> OperatorLogEntry:
    """Return the entry with its outcome, or with why the outcome is open."""
    return observe(_found(entry_id), patience=timedelta(0))


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _found(entry_id: int) -> OperatorLogEntry:
    found = OperatorLogEntry.objects.using(ALIAS).filter(pk=entry_id).first()
    if found is None:
        raise Http404(f"there is no entry {entry_id}")
    return found
