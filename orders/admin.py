"""The orders service in the admin: orders and their changes to read, the catalogue to edit."""

from django.contrib import admin
from django.http import HttpRequest

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
from orders.models import (
    Coupon,
    CouponUse,
    Guard,
    Hold,
    Ledger,
    Order,
    OrderChange,
    OrderLine,
    Product,
    ReturnRequest,
    Turn,
)


@admin.register(Product)
class ProductAdmin(ModelAdmin):  # type: ignore[type-arg]
    list_display = ("sku", "name", "price_minor", "currency", "active")
    list_filter = ("active", "currency")
    search_fields = ("sku", "name")


@admin.register(Coupon)
class CouponAdmin(ModelAdmin):  # type: ignore[type-arg]
    """Coupons. What one takes off stays as it is, because carts were priced with it."""

    list_display = ("code", "kind", "value", "currency", "uses", "used", "once_per_customer", "expires_at")
    list_filter = ("kind",)
    search_fields = ("code",)

    def get_readonly_fields(self, request: HttpRequest, obj: Coupon | None = None) -> tuple[str, ...]:
        return ("code", "kind", "value", "currency", "used", "once_per_customer", "created_at") if obj else ()


@admin.register(CouponUse)
class CouponUseAdmin(LongTable):
    list_display = ("saga_id", "coupon", "customer_id", "order_id", "state", "used_at", "changed_at")
    list_filter = ("state",)
    search_fields = ("saga_id", "coupon")
    ordering = ("-saga_id",)


class OrderLineInline(ReadOnly, TabularInline):  # type: ignore[type-arg]
    model = OrderLine
    fields = ("position", "sku", "quantity", "unit_price_minor", "dispatched", "returned")


class OrderChangeInline(ReadOnly, TabularInline):  # type: ignore[type-arg]
    model = OrderChange
    fields = ("id", "kind", "state", "lines", "amount_minor", "requested_by", "opened_at", "ended_at")
    show_change_link = True


class ReturnRequestInline(ReadOnly, TabularInline):  # type: ignore[type-arg]
    model = ReturnRequest
    fields = ("id", "state", "lines", "requested_by", "requested_at", "expires_at")
    show_change_link = True


@admin.register(Order)
class OrderAdmin(LongTable):
    list_display = ("id", "customer_id", "status", "total_minor", "refunded_minor", "currency", "placed_at")
    list_filter = ("status",)
    search_fields = ("id", "saga_id", "customer_id")
    inlines = (OrderLineInline, OrderChangeInline, ReturnRequestInline)


@admin.register(OrderChange)
class OrderChangeAdmin(LongTable):
    list_display = ("id", "order_id", "kind", "state", "amount_minor", "requested_by", "opened_at")
    list_filter = ("kind", "state")
    search_fields = ("id", "order")


@admin.register(ReturnRequest)
class ReturnRequestAdmin(LongTable):
    list_display = ("id", "order_id", "state", "requested_by", "requested_at", "expires_at")
    list_filter = ("state",)
    search_fields = ("id", "order")


admin.site.register(Ledger, LedgerAdmin)
admin.site.register(Hold, HoldAdmin)
admin.site.register(Turn, TurnAdmin)
admin.site.register(Guard, GuardAdmin)
