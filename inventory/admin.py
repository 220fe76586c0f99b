"""The inventory service in the admin: everything is read-only; `manage.py receive_stock` adds deliveries."""

from django.contrib import admin

from inventory.models import Guard, Ledger, Movement, Reservation, Stock
from orchestration.participant.admin import GuardAdmin, LedgerAdmin, LongTable, ModelAdmin, ReadOnly


@admin.register(Stock)
class StockAdmin(ReadOnly, ModelAdmin):  # type: ignore[type-arg]
    list_display = ("sku", "on_hand", "reserved", "available", "version")
    search_fields = ("sku",)


@admin.register(Reservation)
class ReservationAdmin(LongTable):
    list_display = (
        *("stock_id", "quantity", "consumed", "returned", "saga_id", "order_id"),
        *("reserved_at", "released_at"),
    )
    search_fields = ("saga_id",)


@admin.register(Movement)
class MovementAdmin(LongTable):
    list_display = ("stock_id", "kind", "quantity", "saga_id", "change_id", "moved_at")
    list_filter = ("kind",)
    search_fields = ("stock", "saga_id", "change_id")


admin.site.register(Ledger, LedgerAdmin)
admin.site.register(Guard, GuardAdmin)
