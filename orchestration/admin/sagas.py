"""The list of sagas and the page of one saga. They replace those of Django's admin."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from orchestration.admin.frame import VIEW_SAGAS, for_operators, is_id, page, see
from orchestration.admin.list_view import list_of
from orchestration.admin.saga_page import page_of
from orchestration.db import clocks
from orchestration.engine.selectors import saga
from orchestration.models import ALIAS, OperatorLogEntry, SagaInstance
from orchestration.operators.insight.saga_view import saga_view_from, saga_view_of
from orchestration.operators.insight.timeline_svg import timeline_svg
from orchestration.participant.admin import ModelAdmin, ReadOnly


@admin.register(SagaInstance)
class SagaAdmin(ReadOnly, ModelAdmin):  # type: ignore[type-arg]
    """The admin of sagas. Only its URLs and permissions are those of Django's admin; its pages are our own."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        see(request, VIEW_SAGAS)
        found = list_of(request.GET, request.user, now=clocks.now())
        return page(request, "operations/sagas.html", "Sagas", **found)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if request.method != "GET" or object_id is None:
            raise PermissionDenied("sagas are acted on, not edited")
        see(request, VIEW_SAGAS)
        instance = saga(UUID(object_id)) if object_id and is_id(object_id) else None
        if instance is None:
            return HttpResponseRedirect(reverse("admin:index"))
        entries = OperatorLogEntry.objects.using(ALIAS).filter(saga_id=instance.pk)
        shown = page_of(saga_view_from(instance), list(entries), request, now=clocks.now())
        return page(request, "operations/saga.html", f"Saga {instance.pk}", **shown)


@for_operators(VIEW_SAGAS)
def timeline(request: HttpRequest, saga_id: UUID) -> HttpResponse:
    """Return the timeline of the saga as an SVG at its own URL."""
    view = saga_view_of(saga_id)
    if view is None:
        raise Http404(f"there is no saga {saga_id}")
    return HttpResponse(timeline_svg(view, clocks.now()), content_type="image/svg+xml")
