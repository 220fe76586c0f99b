"""The orders service in the admin: orders to look at and to change, the catalogue to edit."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from orchestration.admin.frame import is_id, page
from orchestration.participant.admin import (
    GuardAdmin,
    HoldAdmin,
    LedgerAdmin,
    LongTable,
    ModelAdmin,
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
    Product,
    ReturnRequest,
    Turn,
)
from orders.pages.change import change_order, receive_return
from orders.pages.order import order_page
from orders.selectors import order_with_lines


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
    list_display = ("saga_id", "coupon_id", "customer_id", "order_id", "state", "used_at", "changed_at")
    list_filter = ("state",)
    search_fields = ("saga_id", "coupon")
    ordering = ("-saga_id",)


@admin.register(Order)
class OrderAdmin(LongTable):
    """The list of orders. The page of an order is our own: it has buttons for the changes that staff can make."""

    list_display = ("id", "customer_id", "status", "total_minor", "refunded_minor", "currency", "placed_at")
    list_filter = ("status",)
    search_fields = ("id", "saga_id", "customer_id")

    def get_urls(self) -> list[URLPattern]:
        """Return the URLs of changes, then the usual ones."""
        opened = self.admin_site.admin_view
        return [
            path("<uuid:order_id>/changes/<slug:verb>/", opened(change_order), name="orders_order_new_change"),
            path("returns/<uuid:return_id>/receive/", opened(receive_return), name="orders_return_receive"),
            *super().get_urls(),
        ]

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if request.method != "GET" or not self.has_view_permission(request):
            raise PermissionDenied("orders are changed by their own pages")
        order = order_with_lines(UUID(object_id)) if object_id and is_id(object_id) else None
        if order is None:
            return HttpResponseRedirect(reverse("admin:orders_order_changelist"))
        return page(request, "orders/order.html", f"Order {order.pk}", **order_page(order, request))


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
