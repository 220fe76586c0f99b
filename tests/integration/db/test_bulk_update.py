"""Rows changed by one statement, each by values of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from django.db import connections, transaction
from django.db.models import BigIntegerField, F, Q
from django.test.utils import CaptureQueriesContext

from inventory.models import Stock
from inventory.services import receive_stock
from orchestration.db.bulk_update import UpdateEach, each_own
from tests.support.wait import wait_for

T = TypeVar("T")

pytestmark = pytest.mark.django_db(transaction=True, databases=["inventory"])

units = each_own("units", by="sku", kind=BigIntegerField())
promise = UpdateEach(Stock, by="sku", where=Q(reserved=0), reserved=F("reserved") + units)

AWKWARD = ["plain", "with space", "a,b", 'quo"te', "it's", "back\\slash", "{brace}", "NULL", "100 %s", "ü"]


def change(own: Any) -> int:
    with transaction.atomic(using="inventory"):
        return promise(own)


def reserved() -> dict[str, int]:
    return dict(Stock.objects.values_list("sku", "reserved"))


def test_each_row_gets_its_own_whatever_its_key_looks_like() -> None:
    receive_stock(units_by_sku=dict.fromkeys(AWKWARD, 100))
    own = {sku: number for number, sku in enumerate(AWKWARD, start=1)}

    assert change({sku: {"units": number} for sku, number in own.items()}) == len(AWKWARD)
    assert reserved() == own


def test_rows_that_are_not_there_or_not_as_asked_are_not_counted() -> None:
    receive_stock(units_by_sku={"MUG": 10, "CUP": 10, "PAN": 10})
    change({"CUP": {"units": 1}})

    assert change({sku: {"units": 2} for sku in ("MUG", "CUP", "NONE")}) == 1
    assert reserved() == {"MUG": 2, "CUP": 1, "PAN": 0}


def test_nothing_given_asks_nothing() -> None:
    with CaptureQueriesContext(connections["inventory"]) as asked:
        assert promise({}) == 0

    assert len(asked) == 0


def test_the_statement_is_written_once(monkeypatch) -> None:
    receive_stock(units_by_sku={"MUG": 10})
    change({"MUG": {"units": 1}})
    monkeypatch.setattr(type(connections["inventory"].ops), "compiler", None)  # whoever writes another one fails

    assert change({"MUG": {"units": 1}}) == 0


def test_rows_are_locked_in_the_order_of_their_keys() -> None:
    receive_stock(units_by_sku=dict.fromkeys("hgfedcba", 10))
    with ThreadPoolExecutor(2) as pool:
        with transaction.atomic(using="inventory"):
            Stock.objects.select_for_update().get(sku="d")
            changed = pool.submit(apart, lambda: change({sku: {"units": 1} for sku in "hgfedcba"}))
            wait_for(lambda: pool.submit(apart, somebody_waits).result(), what="a wait for the lock on d")
            left = pool.submit(apart, not_locked).result()
        assert changed.result() == 8
    assert left == ["e", "f", "g", "h"]


def apart(work: Callable[[], T]) -> T:
    """Do it in a thread that keeps no connection."""
    try:
        return work()
    finally:
        connections["inventory"].close()


def somebody_waits() -> bool:
    with connections["inventory"].cursor() as cursor:
        cursor.execute("SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        return cursor.rowcount > 0


def not_locked() -> list[str]:
    with transaction.atomic(using="inventory"):
        free = Stock.objects.select_for_update(skip_locked=True).order_by("sku")
        return list(free.values_list("sku", flat=True))
