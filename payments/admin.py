"""Payments in the admin, to look at only."""

from django.contrib import admin

from orchestration.participant.admin import LedgerAdmin, ModelAdmin, ReadOnly
from payments.models import Ledger, Payment


@admin.register(Payment)
class PaymentAdmin(ReadOnly, ModelAdmin):  # type: ignore[type-arg]
    list_display = ("order_id", "status", "amount_minor", "currency", "created_at", "changed_at")
    list_filter = ("status", "currency")
    search_fields = ("=order_id", "=saga_id", "authorisation_id", "capture_id", "refund_id")
    ordering = ("-id",)


admin.site.register(Ledger, LedgerAdmin)
