"""A failover as customers meet it: sessions that are left on a read-only server cost a 503 at the most, and heal."""

from http import HTTPStatus
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from config.env import ALIASES
from tests.integration.api.conftest import Shopper
from tests.support.failover import sessions_on_a_read_only_server

pytestmark = pytest.mark.django_db(transaction=True, databases=list(ALIASES))


@pytest.mark.parametrize("alias", ALIASES)
def test_orders_are_accepted_again_at_once_after_a_failover(
    alias: str, ada: Shopper, catalogue: None, two_mugs: dict[str, Any]
) -> None:
    with sessions_on_a_read_only_server(alias):
        first, second = (ada.check_out(two_mugs, key="the-same") for _ in range(2))
        looked = ada.get(f"/checkouts/{second.json()['id']}")

    assert first.status_code in (HTTPStatus.ACCEPTED, HTTPStatus.SERVICE_UNAVAILABLE), first.content
    if first.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        assert int(first["Retry-After"]) > 0
    assert second.status_code in (HTTPStatus.ACCEPTED, HTTPStatus.OK), second.content
    assert looked.status_code == HTTPStatus.OK


def test_an_operator_who_meets_a_failover_is_asked_to_try_again_and_then_let_in(catalogue: None) -> None:
    get_user_model().objects.create_superuser("root", password="secret")
    client = Client(raise_request_exception=False)
    with sessions_on_a_read_only_server("orchestration"):
        first, second = (client.post("/admin/login/", {"username": "root", "password": "secret"}) for _ in range(2))

    assert (first.status_code, first["Retry-After"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "1")
    assert second.status_code == HTTPStatus.FOUND
