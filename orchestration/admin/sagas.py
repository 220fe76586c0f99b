"""The list of sagas, and the page of one."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from orchestration import wording
from orchestration.admin import filters
from orchestration.admin.page import facts, page_of, result_urls
from orchestration.case import case_about
from orchestration.finding import known_by, newest_sagas
from orchestration.models import SagaInstance
from orchestration.participant.admin import ModelAdmin
from orchestration.standing import standing_of


def _moment(column: str) -> Any:  # a function, where the stubs allow names only
    @admin.display(description=column.removesuffix("_at"))
    def shown(instance: SagaInstance) -> str:
        return wording.moment(getattr(instance, column))

    shown.__name__ = f"{column}_shown"
    return shown


CREATED, CHANGED, DISPATCHED, DUE, DEADLINE, ENDED = (
    _moment(f"{name}_at") for name in ("created", "changed", "dispatched", "due", "deadline", "ended")
)


@admin.register(SagaInstance)
class SagaAdmin(ModelAdmin):  # type: ignore[type-arg]
    list_display = ("id", "phase", "is_parked", "step", "attempts", "last_error", "age", "definition")
    list_filter = (filters.StatusFilter, filters.DefinitionFilter, filters.StepFilter)
    list_per_page = 50
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    search_fields = ("pk",)  # or there would be no search box; `get_search_results` says what is looked up
    search_help_text = "A saga id, order id, customer or idempotency key, exactly."
    sortable_by = ()
    readonly_fields = (
        *("step", "attempts", "age", "failure_shown", "parked_steps", "asked", "answered"),
        *(CREATED, CHANGED, DISPATCHED, DUE, DEADLINE, ENDED),
    )
    fieldsets = (
        (None, {"fields": (("definition", "phase"), ("step", "attempts"), "parked_steps", "failure_shown")}),
        ("Whose", {"fields": (("customer_id", "idempotency_key"), "order_id")}),
        ("When (UTC)", {"fields": ((CREATED, "age"), (CHANGED, DISPATCHED), (DUE, DEADLINE), ENDED)}),
        ("What it knows", {"fields": ("asked", "answered"), "classes": ("collapse",)}),
    )

    class Media:
        css = {"all": ("orchestration/sagas.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[SagaInstance]:
        return newest_sagas()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[SagaInstance], search_term: str
    ) -> tuple[QuerySet[SagaInstance], bool]:
        """Look up exactly what was typed; a word within a key is not searched for, which would read every row."""
        term = search_term.strip()
        return (queryset.filter(known_by(term)) if term else queryset), False

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        case = case_about(context["original"])
        context |= page_of(case, result_urls(case.log, request.user), now=datetime.now(UTC))
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="current step")
    def step(self, instance: SagaInstance) -> str:
        return standing_of(instance).step or wording.NOTHING

    @admin.display(description="attempts")
    def attempts(self, instance: SagaInstance) -> int:
        return standing_of(instance).attempts

    @admin.display(description="parked")
    def is_parked(self, instance: SagaInstance) -> str | SafeString:
        return _alarm("parked") if instance.parked else wording.NOTHING

    @admin.display(description="parked")
    def parked_steps(self, instance: SagaInstance) -> str | SafeString:
        parked = standing_of(instance).parked
        return _alarm(", ".join(parked)) if parked else wording.NOTHING

    @admin.display(description="age")
    def age(self, instance: SagaInstance) -> str:
        return wording.span(datetime.now(UTC) - instance.created_at)

    @admin.display(description="last error")
    def last_error(self, instance: SagaInstance) -> str:
        """The class of the newest failed try; without one, why the saga gave up."""
        return instance.last_error or wording.NOTHING

    @admin.display(description="failure")
    def failure_shown(self, instance: SagaInstance) -> str:
        return wording.error(instance.failure)

    @admin.display(description="request")
    def asked(self, instance: SagaInstance) -> SafeString:
        return format_html("<pre>{}</pre>", facts(instance, instance.request))

    @admin.display(description="answers")
    def answered(self, instance: SagaInstance) -> SafeString:
        return format_html("<pre>{}</pre>", facts(instance, instance.answers))


def _alarm(text: str) -> SafeString:
    return format_html('<strong class="saga-parked">{}</strong>', text)
