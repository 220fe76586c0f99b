"""Payments in the admin, to look at only."""

from django.contrib import admin

from orchestration.participant.admin import GuardAdmin, HoldAdmin, LedgerAdmin, LongTable, TurnAdmin
from payments.models import CreditPayment, Guard, Hold, Ledger, Payment, Refund, Turn, Wallet, WalletMovement


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
    list_display = ("saga_id", "step", "status", "amount_minor", "destination", "origin", "requested_at", "changed_at")
    list_filter = ("status", "destination", "origin")
    search_fields = ("saga_id", "gateway_id")


@admin.register(Wallet)
class WalletAdmin(LongTable):
    list_display = ("customer_id", "currency", "balance_minor", "incoming_minor", "changed_at")
    search_fields = ("id", "customer_id")


@admin.register(WalletMovement)
class WalletMovementAdmin(LongTable):
    list_display = ("wallet_id", "kind", "amount_minor", "by", "reason", "saga_id", "step", "moved_at")
    list_filter = ("kind",)
    search_fields = ("wallet", "saga_id")


@admin.register(CreditPayment)
class CreditPaymentAdmin(LongTable):
    list_display = ("saga_id", "order_id", "wallet_id", "amount_minor", "refunded_minor", "state", "changed_at")
    list_filter = ("state",)
    search_fields = ("saga_id",)
    ordering = ("-saga_id",)


admin.site.register(Ledger, LedgerAdmin)
admin.site.register(Hold, HoldAdmin)
admin.site.register(Turn, TurnAdmin)
admin.site.register(Guard, GuardAdmin)
