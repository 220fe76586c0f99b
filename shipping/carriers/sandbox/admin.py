"""The sandbox carrier's records in the admin, read-only."""

from django.contrib import admin

from orchestration.participant.admin import ModelAdmin, ReadOnly
from shipping.carriers.sandbox.models import Operation


@admin.register(Operation)
class OperationAdmin(ReadOnly, ModelAdmin):  # type: ignore[type-arg]
    list_display = ("tracking_number", "kind", "reference", "refused", "created_at")
    list_filter = ("kind", "refused")
    search_fields = ("id", "key", "reference", "booking__id")
    ordering = ("-created_at",)
