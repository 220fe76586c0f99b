"""The admin's look, Unfold's where that is installed and Django's own elsewhere, and what services show alike in it."""

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.http import HttpRequest

IS_UNFOLD = apps.is_installed("unfold")

if IS_UNFOLD and not TYPE_CHECKING:
    from unfold.admin import ModelAdmin, TabularInline
else:
    from django.contrib.admin import ModelAdmin, TabularInline

__all__ = ("IS_UNFOLD", "LedgerAdmin", "ModelAdmin", "ReadOnly", "TabularInline")


class ReadOnly:
    """Mix it in before a ModelAdmin or an inline: rows are looked at, never added, changed or deleted."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LedgerAdmin(ReadOnly, ModelAdmin):  # type: ignore[type-arg]
    """A service's ledger, alike in all of them."""

    list_display = ("saga_id", "step", "status", "token", "created_at", "changed_at")
    list_filter = ("step", "status")
    search_fields = ("=saga_id",)
    ordering = ("-id",)
    exclude = ("request",)
    """It holds secrets, sealed: a saga's page shows the rest of it."""
