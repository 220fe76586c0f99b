"""The sandbox gateway's records in the admin, read-only."""

from django.contrib import admin

from orchestration.participant.admin import ModelAdmin, ReadOnly
from payments.gateways.sandbox.models import Operation


@admin.register(Operation)
class OperationAdmin(ReadOnly, ModelAdmin):  # type: ignore[type-arg]
    list_display = ("public_id", "kind", "reference", "amount_minor", "currency", "decline_code", "created_at")
    list_filter = ("kind", "decline_code")
    search_fields = ("id", "key", "reference", "authorisation__id")
    ordering = ("-created_at",)
