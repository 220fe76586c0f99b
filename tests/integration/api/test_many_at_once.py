"""More customers at once than there are database connections."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections

from tests.integration.api.conftest import EVERY_DATABASE, Cart, Shopper
from tests.support.threads import at_once

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=EVERY_DATABASE),
    pytest.mark.usefixtures("catalogue"),
]

CUSTOMERS = 48
"""Twelve times as many as a pool has connections."""


def served(request: Callable[[], Any]) -> Any:
    """What comes of a request, after which a web process gives its connections back; Django's test client does not."""
    try:
        return request()
    finally:
        connections.close_all()


def test_all_are_answered_and_nobody_waits_for_who_waits_for_them(
    ada: Shopper, two_mugs: Cart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders.api.views.ANSWERED_WITHIN_S", 60.0)  # threads that block each other take longer

    def shop(number: int) -> set[int]:
        statuses = set()
        for _ in range(2):
            accepted = served(lambda: ada.check_out(two_mugs, key=str(uuid4())))
            statuses.add(accepted.status_code)
            if accepted.status_code == 202:
                statuses.add(served(partial(ada.get, f"/checkouts/{accepted.json()['id']}")).status_code)
            statuses.add(served(lambda: ada.get("/products")).status_code)
        return statuses

    assert at_once(CUSTOMERS, shop) == [{200, 202}] * CUSTOMERS
