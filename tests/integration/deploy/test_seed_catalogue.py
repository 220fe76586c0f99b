"""`manage.py seed_catalogue`."""

import json
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.management import call_command
from knox.auth import TokenAuthentication
from knox.models import AuthToken

from inventory.models import Movement, Stock
from orchestration.models.actions import OperatorAction
from orchestration.operators.actions.permissions import BREAK_LOCK, may_approve
from orders.selectors import products_on_sale

pytestmark = pytest.mark.django_db(transaction=True, databases=["orchestration", "inventory", "orders"])


def seed() -> dict[str, Any]:
    out = StringIO()
    call_command("seed_catalogue", format="json", stdout=out)
    seeded: dict[str, Any] = json.loads(out.getvalue())
    return seeded


def test_everything_it_tells_of_is_there() -> None:
    seeded = seed()
    assert [sku["sku"] for sku in seeded["skus"]] == list(products_on_sale().values_list("sku", flat=True))
    assert {sku["available"] for sku in seeded["skus"]} == {100_000, 5}
    assert Stock.objects.get(sku=seeded["scarce_sku"]).available == 5
    operator = authenticate(username=seeded["admin_user"], password=seeded["admin_password"])
    assert operator is not None
    assert operator.is_superuser
    approver = authenticate(username=seeded["approver_user"], password=seeded["approver_password"])
    assert approver is not None
    assert approver.is_staff
    assert may_approve(approver, OperatorAction.SETTLE)
    assert approver.has_perm(BREAK_LOCK)
    assert not approver.has_perm("orchestration.resume_saga")
    user, _ = TokenAuthentication().authenticate_credentials(seeded["token"].encode())
    assert not user.is_staff
    assert TokenAuthentication().authenticate_credentials(seeded["admin_token"].encode())[0] == operator


def test_seeding_again_changes_only_the_tokens_and_the_passwords() -> None:
    first, second = seed(), seed()
    assert second["skus"] == first["skus"]
    assert Movement.objects.count() == len(first["skus"])
    assert AuthToken.objects.count() == 2
    assert second["token"] != first["token"]


def test_the_text_names_the_token_and_the_login() -> None:
    out = StringIO()
    call_command("seed_catalogue", stdout=out)
    assert "21 products on sale" in out.getvalue()
    assert "demo-admin" in out.getvalue()
