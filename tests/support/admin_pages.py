"""Opens every admin page that needs no input, in the configured theme; also as a program."""

import json
import os
import sys
from collections.abc import Iterator

from django.contrib import admin
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse


def opened(username: str) -> dict[str, int]:
    """Open each page as a superuser and return its status by URL. An error in a page is raised."""
    from django.contrib.auth.models import User

    client, user = Client(SERVER_NAME="localhost"), User.objects.get(username=username)
    client.force_login(user)
    request = RequestFactory().get("/")
    request.user = user
    return {url: client.get(url, follow=True).status_code for url in _addresses(request)}


def _addresses(request: HttpRequest) -> Iterator[str]:
    from orchestration.admin.dashboard import TILES
    from orders.models import Order

    yield reverse("admin:index")
    yield reverse("admin:password_change")
    for name in ("incidents", "batches", "breakers", "locks", "dead-letters", "findings"):
        yield reverse(f"operations:{name}")
    for name in TILES:
        yield reverse("operations:tile", args=[name])
    for order in Order.objects.all()[:1]:
        for verb in ("dispatch", "refund", "cancel"):
            yield reverse("admin:orders_order_new_change", args=[order.pk, verb])
    for model, options in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        if options.has_add_permission(request):
            yield reverse(f"{name}_add")
        if (row := options.get_queryset(request).first()) is not None:
            yield reverse(f"{name}_change", args=[row.pk])


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    print(json.dumps(opened(sys.argv[1])))
