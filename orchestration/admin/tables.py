"""Read-only tables of the operator log, the machinery log and the audit runs."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse

from orchestration.models import AuditFinding, AuditRun, MachineryLogEntry, OperatorLogEntry
from orchestration.operators.actions.outcome import Observed
from orchestration.participant.admin import LongTable, ModelAdmin, ReadOnly, WordFilter


class _Observed(WordFilter):
    title = parameter_name = "observed"

    def words(self, model: type[Model]) -> Iterable[str]:
        return [each.value for each in Observed]


@admin.register(OperatorLogEntry)
class OperatorLogAdmin(LongTable):
    list_display = ("at", "by", "via", "action", "step", "saga_id", "code", "observed", "reason")
    list_filter = ("action", "code", "via", _Observed)
    search_fields = ("saga_id",)

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        return _page_of("operations:entry", object_id)


@admin.register(MachineryLogEntry)
class MachineryLogAdmin(ReadOnly, ModelAdmin):  # type: ignore[type-arg]
    list_display = ("asked_at", "by", "via", "action", "subject", "outcome", "ended_at", "reason")
    list_filter = ("action", "outcome", "via")
    search_fields = ("subject", "=by")
    ordering = ("-id",)
    empty_value_display = "not known"
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False


@admin.register(AuditRun)
class AuditRunAdmin(ReadOnly, ModelAdmin):  # type: ignore[type-arg]
    list_display = ("id", "started_at", "ended_at", "ok", "sagas", "error")
    list_filter = ("ok",)
    ordering = ("-id",)


@admin.register(AuditFinding)
class AuditFindingAdmin(ReadOnly, ModelAdmin):  # type: ignore[type-arg]
    """The admin of findings. It redirects to the operators' pages of findings."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("operations:findings"))

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        return _page_of("operations:finding", object_id)


def _page_of(route: str, object_id: str) -> HttpResponse:
    """Redirect to the page of the object with this id.

    :raises Http404: when the text is no id.
    """
    try:
        return HttpResponseRedirect(reverse(route, args=[object_id]))
    except NoReverseMatch as error:
        raise Http404(f"{object_id} is no id") from error
