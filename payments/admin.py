"""Payments in the admin, to look at only."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from payments.models import Ledger, Payment


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Payment)
class PaymentAdmin(ReadOnly):
    list_display = ("order_id", "status", "amount_minor", "currency", "created_at", "changed_at")
    list_filter = ("status", "currency")
    search_fields = ("order_id", "saga_id", "authorisation_id", "capture_id", "refund_id")
    ordering = ("-id",)


@admin.register(Ledger)
class LedgerAdmin(ReadOnly):
    list_display = ("saga_id", "step", "status", "created_at", "changed_at")
    list_filter = ("step", "status")
    search_fields = ("saga_id",)
    ordering = ("-id",)
