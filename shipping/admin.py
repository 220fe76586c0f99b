"""Shipments in the admin, to look at only."""

from django.contrib import admin

from orchestration.participant.admin import LedgerAdmin, ModelAdmin, ReadOnly
from shipping.models import Ledger, Shipment


@admin.register(Shipment)
class ShipmentAdmin(ReadOnly, ModelAdmin):  # type: ignore[type-arg]
    list_display = ("order_id", "status", "tracking_number", "created_at", "changed_at")
    list_filter = ("status",)
    search_fields = ("=order_id", "=saga_id", "tracking_number")
    ordering = ("-id",)


admin.site.register(Ledger, LedgerAdmin)
