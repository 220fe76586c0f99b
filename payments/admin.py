"""Payments in the admin, to look at only."""

from django.contrib import admin

from orchestration.participant.admin import LedgerAdmin, LongTable
from payments.models import Ledger, Payment


@admin.register(Payment)
class PaymentAdmin(LongTable):
    list_display = ("order_id", "status", "amount_minor", "currency", "created_at", "changed_at")
    list_filter = ("status",)
    search_fields = ("saga_id", "authorisation_id", "capture_id", "refund_id")


admin.site.register(Ledger, LedgerAdmin)
