"""Shipments and dispatches in the admin, read-only."""

from django.contrib import admin

from orchestration.participant.admin import GuardAdmin, LedgerAdmin, LongTable
from shipping.models import Dispatch, Guard, Ledger, Shipment


@admin.register(Shipment)
class ShipmentAdmin(LongTable):
    list_display = ("order_id", "status", "tracking_number", "stopped_by", "created_at", "changed_at")
    list_filter = ("status",)
    search_fields = ("saga_id", "tracking_number")


@admin.register(Dispatch)
class DispatchAdmin(LongTable):
    list_display = ("order_id", "tracking_number", "is_booked", "saga_id", "handed_over_at")
    search_fields = ("saga_id", "checkout_id", "tracking_number")


admin.site.register(Ledger, LedgerAdmin)
admin.site.register(Guard, GuardAdmin)
