"""What services show in the admin, and nobody may touch there."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest


class ReadOnly:
    """Mix it in before a ModelAdmin or an inline: rows are looked at, never added, changed or deleted."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LedgerAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """A service's ledger, alike in all of them."""

    list_display = ("saga_id", "step", "status", "token", "created_at", "changed_at")
    list_filter = ("step", "status")
    search_fields = ("=saga_id",)
    ordering = ("-id",)
