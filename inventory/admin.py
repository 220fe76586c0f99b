"""The inventory service in the admin: everything to read; deliveries come in by `manage.py receive_stock`."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from inventory.models import Ledger, Movement, Reservation, Stock


class ReadOnly:
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Stock)
class StockAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("sku", "on_hand", "reserved", "available", "version")
    search_fields = ("sku",)


@admin.register(Reservation)
class ReservationAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("stock_id", "quantity", "saga_id", "order_id", "reserved_at", "released_at")
    search_fields = ("=saga_id", "=order_id")


@admin.register(Movement)
class MovementAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("stock_id", "kind", "quantity", "saga_id", "moved_at")
    list_filter = ("kind",)
    search_fields = ("=stock__sku", "=saga_id")


@admin.register(Ledger)
class LedgerAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("saga_id", "step", "status", "changed_at")
    list_filter = ("status", "step")
    search_fields = ("=saga_id",)
