"""The orders service in the admin: orders to read, the catalogue to edit."""

from django.contrib import admin

from orchestration.participant.admin import (
    GuardAdmin,
    HoldAdmin,
    LedgerAdmin,
    LongTable,
    ModelAdmin,
    ReadOnly,
    TabularInline,
    TurnAdmin,
)
from orders.models import Guard, Hold, Ledger, Order, OrderLine, Product, Turn


@admin.register(Product)
class ProductAdmin(ModelAdmin):  # type: ignore[type-arg]
    list_display = ("sku", "name", "price_minor", "currency", "active")
    list_filter = ("active", "currency")
    search_fields = ("sku", "name")


class OrderLineInline(ReadOnly, TabularInline):  # type: ignore[type-arg]
    model = OrderLine
    fields = ("position", "sku", "quantity", "unit_price_minor")


@admin.register(Order)
class OrderAdmin(LongTable):
    list_display = ("id", "customer_id", "status", "total_minor", "currency", "placed_at")
    list_filter = ("status",)
    search_fields = ("id", "saga_id", "customer_id")
    inlines = (OrderLineInline,)


admin.site.register(Ledger, LedgerAdmin)
admin.site.register(Hold, HoldAdmin)
admin.site.register(Turn, TurnAdmin)
admin.site.register(Guard, GuardAdmin)
