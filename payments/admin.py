"""Payments in the admin, to look at only."""

from django.contrib import admin

from orchestration.participant.admin import GuardAdmin, HoldAdmin, LedgerAdmin, LongTable, TurnAdmin
from payments.models import Guard, Hold, Ledger, Payment, Turn


@admin.register(Payment)
class PaymentAdmin(LongTable):
    list_display = ("order_id", "status", "amount_minor", "currency", "created_at", "changed_at")
    list_filter = ("status",)
    search_fields = ("saga_id", "authorisation_id", "capture_id", "refund_id")


admin.site.register(Ledger, LedgerAdmin)
admin.site.register(Hold, HoldAdmin)
admin.site.register(Turn, TurnAdmin)
admin.site.register(Guard, GuardAdmin)
