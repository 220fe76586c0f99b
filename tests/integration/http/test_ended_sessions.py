"""A failover as customers meet it: sessions that are left on a read-only server cost a 503 at the most, and heal."""

from http import HTTPStatus
from typing import Any

import pytest

from config.env import ALIASES
from tests.integration.http.conftest import Shopper
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
