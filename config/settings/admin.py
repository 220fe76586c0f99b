"""The admin's sidebar and titles, in Unfold's format. Django's own admin does not use them."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy

FAVICON = "orchestration/favicon.svg"
VIEW_SAGAS = "orchestration.view_sagainstance"


def _allowed(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)  # type: ignore[union-attr]


def _page(title: str, icon: str, route: str, permission: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(route), "permission": _allowed(permission)}


def _model(title: str, icon: str, app: str, model: str) -> dict[str, Any]:
    return _page(title, icon, f"admin:{app}_{model}_changelist", f"{app}.view_{model}")


UNFOLD = {
    "SITE_TITLE": "Shop checkout",
    "SITE_HEADER": "Shop checkout",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static(FAVICON)}],
    "SCRIPTS": [lambda request: static("orchestration/landmark.js")],
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {
        "show_search": False,
        "navigation": [
            {
                "title": "Operations",
                "items": [
                    {"title": "Dashboard", "icon": "monitoring", "link": reverse_lazy("admin:index")},
                    _model("Sagas", "account_tree", "orchestration", "sagainstance"),
                    _page("Incidents", "crisis_alert", "operations:incidents", VIEW_SAGAS),
                    _page("Batches", "checklist", "operations:batches", VIEW_SAGAS),
                    _page("Dead letters", "drafts", "operations:dead-letters", VIEW_SAGAS),
                    _page("Breakers", "electrical_services", "operations:breakers", VIEW_SAGAS),
                    _page("Locks", "lock", "operations:locks", VIEW_SAGAS),
                    _page("Audit findings", "fact_check", "operations:findings", "orchestration.view_auditfinding"),
                    _model("Audit runs", "history", "orchestration", "auditrun"),
                    _model("Operator log", "receipt", "orchestration", "operatorlogentry"),
                    _model("Machinery log", "construction", "orchestration", "machinerylogentry"),
                ],
            },
            {
                "title": "Orders",
                "items": [
                    _model("Orders", "receipt_long", "orders", "order"),
                    _model("Changes", "published_with_changes", "orders", "orderchange"),
                    _model("Return requests", "assignment_return", "orders", "returnrequest"),
                    _model("Products", "sell", "orders", "product"),
                    _model("Coupons", "confirmation_number", "orders", "coupon"),
                    _model("Ledger", "menu_book", "orders", "ledger"),
                ],
            },
            {
                "title": "Inventory",
                "items": [
                    _model("Stock", "inventory_2", "inventory", "stock"),
                    _model("Reservations", "lock", "inventory", "reservation"),
                    _model("Movements", "swap_horiz", "inventory", "movement"),
                    _model("Ledger", "menu_book", "inventory", "ledger"),
                ],
            },
            {
                "title": "Payments",
                "items": [
                    _model("Payments", "payments", "payments", "payment"),
                    _model("Refunds", "undo", "payments", "refund"),
                    _model("Wallets", "account_balance_wallet", "payments", "wallet"),
                    _model("Ledger", "menu_book", "payments", "ledger"),
                    _model("Sandbox gateway", "science", "gateway", "operation"),
                ],
            },
            {
                "title": "Shipping",
                "items": [
                    _model("Shipments", "local_shipping", "shipping", "shipment"),
                    _model("Dispatches", "outbox", "shipping", "dispatch"),
                    _model("Ledger", "menu_book", "shipping", "ledger"),
                    _model("Sandbox carrier", "science", "carrier", "operation"),
                ],
            },
            {
                "title": "Accounts",
                "items": [
                    _model("Users", "person", "auth", "user"),
                    _model("Groups", "group", "auth", "group"),
                    _model("API tokens", "key", "knox", "authtoken"),
                    _model("Task results", "task", "django_celery_results", "taskresult"),
                    _model("Group results", "task", "django_celery_results", "groupresult"),
                ],
            },
        ],
    },
}
