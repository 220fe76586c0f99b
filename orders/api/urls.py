"""Paths below /api/v1/."""

from django.urls import path, re_path

from orchestration.api.error_views import not_found
from orders.api.changes import Changes, Dispatches, OneChange, OrderCancellation, Refunds
from orders.api.checkouts import Cancellation, Checkouts, OneCheckout
from orders.api.credit import StoreCredit
from orders.api.orders import OneOrder, Orders
from orders.api.products import Products
from orders.api.returns import OneReturn, Receipts, Refusals, Returns

urlpatterns = [
    path("checkouts", Checkouts.as_view(), name="checkouts"),
    path("checkouts/<uuid:checkout_id>", OneCheckout.as_view(), name="checkout"),
    path("checkouts/<uuid:checkout_id>/cancel", Cancellation.as_view(), name="checkout-cancellation"),
    path("orders", Orders.as_view(), name="orders"),
    path("orders/<uuid:order_id>", OneOrder.as_view(), name="order"),
    path("orders/<uuid:order_id>/cancel", OrderCancellation.as_view(), name="order-cancellation"),
    path("orders/<uuid:order_id>/refunds", Refunds.as_view(), name="order-refunds"),
    path("orders/<uuid:order_id>/dispatches", Dispatches.as_view(), name="order-dispatches"),
    path("orders/<uuid:order_id>/returns", Returns.as_view(), name="order-returns"),
    path("orders/<uuid:order_id>/changes", Changes.as_view(), name="order-changes"),
    path("orders/<uuid:order_id>/changes/<uuid:change_id>", OneChange.as_view(), name="order-change"),
    path("returns/<uuid:return_id>", OneReturn.as_view(), name="return"),
    path("returns/<uuid:return_id>/receive", Receipts.as_view(), name="return-receipt"),
    path("returns/<uuid:return_id>/refuse", Refusals.as_view(), name="return-refusal"),
    path("credit", StoreCredit.as_view(), name="credit"),
    path("products", Products.as_view(), name="products"),
    re_path("", not_found),
]
