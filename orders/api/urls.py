"""Paths below /api/v1/."""

from django.urls import path, re_path

from orchestration.api.error_views import not_found
from orders.api.checkouts import Cancellation, Checkouts, OneCheckout
from orders.api.orders import OneOrder, Orders
from orders.api.products import Products

urlpatterns = [
    path("checkouts", Checkouts.as_view(), name="checkouts"),
    path("checkouts/<uuid:checkout_id>", OneCheckout.as_view(), name="checkout"),
    path("checkouts/<uuid:checkout_id>/cancel", Cancellation.as_view(), name="checkout-cancellation"),
    path("orders", Orders.as_view(), name="orders"),
    path("orders/<uuid:order_id>", OneOrder.as_view(), name="order"),
    path("products", Products.as_view(), name="products"),
    re_path("", not_found),
]
