"""Customers' requests while one row is locked, or a database does not answer."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connections
from django.test import Client

from config.env import ALIASES
from config.postgresql import base
from orchestration.api import admission
from orchestration.api.admission import Admission
from orders.api import checkouts, placement
from tests.integration.api.conftest import Cart, Shopper

pytestmark = pytest.mark.django_db(transaction=True, databases=list(ALIASES))

HALF_A_CUSTOMERS_TIME_S = 1.0


@pytest.fixture(autouse=True)
def breakers_as_before() -> Iterator[None]:
    yield
    for alias in ALIASES:
        base.breaker_of(alias).close()


@contextmanager
def locked(alias: str, statement: str, *parameters: Any) -> Iterator[None]:
    """Keep the locks that the statement takes, as a frozen worker does."""
    with psycopg.connect(**connections[alias].get_connection_params()) as frozen:
        frozen.execute(statement, parameters)
        yield
        frozen.rollback()


def test_requests_that_wait_for_one_locked_row_are_harmless_to_others(
    ada: Shopper, catalogue: None, two_mugs: Cart
) -> None:
    """As many as there are connections, so that others have to wait for one: not as long as they could at most."""
    stuck, other = (ada.check_out(two_mugs).json()["id"] for _ in range(2))
    orchestration: Any = connections["orchestration"]
    size = orchestration.settings_dict["OPTIONS"]["pool"]["max_size"]
    statuses, seconds = set[int](), list[float]()

    def cancel() -> int:
        try:
            return int(ada.post(f"/checkouts/{stuck}/cancel").status_code)
        finally:
            connections.close_all()

    with (
        locked("orchestration", "SELECT FROM orchestration_sagainstance WHERE id = %s FOR UPDATE", stuck),
        ThreadPoolExecutor(size) as threads,
    ):
        cancels = [threads.submit(cancel) for _ in range(size)]
        while not all(each.done() for each in cancels):
            began = time.monotonic()
            statuses.add(ada.get(f"/checkouts/{other}").status_code)
            seconds.append(time.monotonic() - began)
        assert not base.breaker_of("orchestration").is_open()

    assert {each.result() for each in cancels} == {503}
    assert statuses == {200}
    assert max(seconds) < 1.5 * HALF_A_CUSTOMERS_TIME_S
    assert ada.post(f"/checkouts/{stuck}/cancel").status_code == 202


def test_reads_that_wait_for_a_locked_table_are_harmless_to_others(
    ada: Shopper, catalogue: None, two_mugs: Cart
) -> None:
    with locked("orders", "LOCK TABLE orders_order"):
        assert ada.get("/orders").status_code == 503
        assert ada.check_out(two_mugs).status_code == 202


def test_an_absent_database_is_waited_for_once(
    ada: Shopper, catalogue: None, two_mugs: Cart, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = ada.check_out(two_mugs).json()["id"]
    payments: Any = connections["payments"]
    payments.close()
    payments.close_pool()
    with monkeypatch.context() as patched:
        patched.setitem(payments.settings_dict, "PORT", "1")
        assert ada.get(f"/checkouts/{checkout}").status_code == 200
        began = time.monotonic()
        assert ada.get(f"/checkouts/{checkout}").status_code == 200
        assert time.monotonic() - began < HALF_A_CUSTOMERS_TIME_S / 2
        payments.close_pool()


def test_an_accepted_order_is_answered_202_while_its_database_fails(
    ada: Shopper, catalogue: None, two_mugs: Cart, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept: Callable[..., Any] = placement.accept

    def accept_and_lose_the_database(*args: Any, **options: Any) -> Any:
        accepted = accept(*args, **options)
        base.breaker_of("orchestration").open(60)
        return accepted

    monkeypatch.setattr(checkouts, "accept", accept_and_lose_the_database)
    answer = ada.check_out(two_mugs, Prefer="wait=1")
    assert (answer.status_code, answer["Preference-Applied"]) == (202, "wait=1")


def test_too_many_requests_are_reported_as_their_readers_read(ada: Shopper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "admission", lambda: Admission(at_work=0, queued=0, waiting=0))
    page, problem = Client().get("/admin/"), ada.get("/orders")
    assert page["Content-Type"].startswith("text/html")
    assert problem.json()["code"] == "overloaded"
    assert {(each.status_code, each["Retry-After"]) for each in (page, problem)} == {(503, "1")}
