"""Payments in the admin, to look at only."""

from django.contrib import admin

from orchestration.participant.admin import GuardAdmin, HoldAdmin, LedgerAdmin, LongTable, TurnAdmin
from payments.models import Guard, Hold, Ledger, Payment, Refund, Turn


@admin.register(Payment)
class PaymentAdmin(LongTable):
    list_display = (
        "order_id",
        "status",
        "amount_minor",
        "captured_minor",
        "refunded_minor",
        "currency",
        "created_at",
        "changed_at",
    )
    list_filter = ("status",)
    search_fields = ("saga_id", "authorisation_id", "capture_id")


@admin.register(Refund)
class RefundAdmin(LongTable):
    list_display = ("payment", "status", "amount_minor", "destination", "origin", "requested_at", "changed_at")
    list_filter = ("status", "destination", "origin")
    search_fields = ("saga_id", "gateway_id")
    list_select_related = ("payment",)


admin.site.register(Ledger, LedgerAdmin)
admin.site.register(Hold, HoldAdmin)
admin.site.register(Turn, TurnAdmin)
admin.site.register(Guard, GuardAdmin)
