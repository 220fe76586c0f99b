"""Shipments in the admin, read-only."""

from django.contrib import admin

from orchestration.participant.admin import GuardAdmin, LedgerAdmin, LongTable
from shipping.models import Guard, Ledger, Shipment


@admin.register(Shipment)
class ShipmentAdmin(LongTable):
    list_display = ("order_id", "status", "tracking_number", "created_at", "changed_at")
    list_filter = ("status",)
    search_fields = ("saga_id", "tracking_number")


admin.site.register(Ledger, LedgerAdmin)
admin.site.register(Guard, GuardAdmin)
