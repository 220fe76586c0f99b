"""Admin classes for the tables of services: in Unfold's theme where it is installed, in Django's elsewhere."""

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib.admin import ShowFacets, SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

from orchestration.contracts.command import Action
from orchestration.participant.participant import participant_of
from orchestration.text.cleaning import can_be_stored

IS_UNFOLD = apps.is_installed("unfold")

if IS_UNFOLD and not TYPE_CHECKING:
    from unfold.admin import ModelAdmin, TabularInline
else:
    from django.contrib.admin import ModelAdmin, TabularInline

__all__ = (
    "IS_UNFOLD",
    "GuardAdmin",
    "HoldAdmin",
    "LedgerAdmin",
    "LongTable",
    "ModelAdmin",
    "ReadOnly",
    "TabularInline",
    "TurnAdmin",
    "WordFilter",
)

LISTED = 10_000
"""The most rows of a list. Filters and search find older rows."""


class ReadOnly:
    """Makes a ModelAdmin or an inline read-only. Name it before them as a base class."""

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list of rows.

        :raises IncorrectLookupParameters: when a filter has characters that no column can hold.
        """
        if not all(can_be_stored(word) for _, words in request.GET.lists() for word in words):
            raise IncorrectLookupParameters
        return super().get_changelist_instance(request)  # type: ignore[misc]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class _OfTheNewest(Paginator):  # type: ignore[type-arg]
    """Pages of the first `LISTED` rows. Further rows are not counted."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[:LISTED].count())


class LongTable(ReadOnly, ModelAdmin):  # type: ignore[type-arg]
    """A read-only table that grows with every order. No page reads all of it.

    `search_fields` name indexed fields, which must match exactly. Fields in `list_filter` need choices.
    """

    paginator = _OfTheNewest
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    ordering = ("-id",)
    sortable_by = ()  # no other order has an index
    search_help_text = f"To the letter. Lists end after {LISTED:,} rows."

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Allow only the filters that are offered. Django would allow filters by any column, hidden ones included."""
        offered: list[Any] = list(self.list_filter)
        return lookup in {f"{each}__exact" if isinstance(each, str) else each.parameter_name for each in offered}

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list in its one order. Ignore an order in the address, which Django would use although hidden."""
        given = request.GET.copy()
        given.pop(ORDER_VAR, None)
        request.GET = given  # type: ignore[assignment]
        return super().get_changelist_instance(request)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Search indexed fields for the exact term. Django would cast every field to text, which no index serves."""
        if not search_term:
            return queryset, False
        meant = [
            Q(**{name: value}) for name in self.search_fields if (value := self._read(name, search_term)) is not None
        ]
        return queryset.filter(reduce(or_, meant, Q(pk__in=[]))), False

    def _read(self, name: str, text: str) -> Any:
        """Convert the text to the field's type. Return None when it is none of its values."""
        try:
            return self.model._meta.get_field(name).to_python(text.strip())  # type: ignore[union-attr]
        except ValidationError:
            return None


class WordFilter(SimpleListFilter):
    """A filter by the values that a field may have. The code knows them, so no query is needed.

    Set `parameter_name` to the name of the field, and implement `words`.
    """

    def words(self, model: type[Model]) -> Iterable[str]:
        raise NotImplementedError

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(word, word) for word in self.words(model_admin.model)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        return queryset.filter(**{str(self.parameter_name): self.value()}) if self.value() else queryset


class _Step(WordFilter):
    title = parameter_name = "step"

    def words(self, model: type[Model]) -> Iterable[str]:
        commands = participant_of(model._meta.app_label).commands
        return sorted(command.step for command in commands if isinstance(command, Action))


class LedgerAdmin(LongTable):
    """The ledger of a service."""

    list_display = ("saga_id", "step", "status", "token", "created_at", "changed_at")
    list_filter = (_Step, "status")
    search_fields = ("saga_id",)
    exclude = ("request",)
    """The request holds encrypted secrets. A saga's page shows its other fields."""


class HoldAdmin(ReadOnly, ModelAdmin):  # type: ignore[type-arg]
    """The locks that sagas hold in a service."""

    list_display = ("resource", "saga_id", "step", "fence", "since")
    search_fields = ("=resource", "=saga_id")


class TurnAdmin(ReadOnly, ModelAdmin):  # type: ignore[type-arg]
    """The sagas that wait for locks of a service, first come, first served."""

    list_display = ("resource", "id", "saga_id", "step", "since")
    search_fields = ("=resource", "=saga_id")


class GuardAdmin(LongTable):
    """The highest fencing tokens that were used in a service."""

    list_display = ("resource", "fence")
    search_fields = ("resource",)
