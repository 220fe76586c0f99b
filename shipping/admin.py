"""Shipments in the admin, to look at only."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from shipping.models import Ledger, Shipment


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Shipment)
class ShipmentAdmin(ReadOnly):
    list_display = ("order_id", "status", "tracking_number", "created_at", "changed_at")
    list_filter = ("status",)
    search_fields = ("order_id", "saga_id", "tracking_number")
    ordering = ("-id",)


@admin.register(Ledger)
class LedgerAdmin(ReadOnly):
    list_display = ("saga_id", "step", "status", "created_at", "changed_at")
    list_filter = ("step", "status")
    search_fields = ("saga_id",)
    ordering = ("-id",)
