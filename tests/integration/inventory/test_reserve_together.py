"""Reserving the same stock from many threads at once."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections, transaction
from django.db.models import F, QuerySet, Sum

from inventory import services
from inventory.models import Movement, Reservation, Stock
from inventory.services import OutOfStock, receive_stock
from orchestration.contracts.inventory import ReleaseStock, ReserveStock
from orchestration.contracts.values import Line

pytestmark = pytest.mark.django_db(transaction=True, databases=["inventory"])


def reserve(*wanted: tuple[str, int]) -> ReserveStock:
    request = ReserveStock(uuid4(), uuid4(), tuple(Line(sku, quantity, 100) for sku, quantity in wanted))
    with transaction.atomic(using="inventory"):
        services.reserve_stock(request)
    return request


def at_once(jobs: Sequence[Callable[[], object]]) -> Counter[str]:
    """Start every job at the same moment, a thread each; count how they ended: "done" or the error's name."""
    start = Barrier(len(jobs))

    def run(job: Callable[[], object]) -> str:
        try:
            connections["inventory"].ensure_connection()
            start.wait(timeout=30)
            job()
        except Exception as error:
            return type(error).__name__
        else:
            return "done"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return Counter(pool.map(run, jobs))


def books_agree() -> bool:
    """Whether reserved units are those of the live reservations, and on hand what was received, for every SKU."""
    live = _sums(Reservation.objects.filter(released_at=None))
    received = _sums(Movement.objects.filter(kind=Movement.Kind.RECEIVED))
    return all(row.reserved == live.get(row.sku, 0) and row.on_hand == received[row.sku] for row in Stock.objects.all())


def _sums(rows: QuerySet[Any]) -> dict[str, int]:
    return dict(rows.values_list("stock_id").annotate(units=Sum("quantity")))


def test_fifty_buyers_of_the_last_ten_units_get_exactly_ten() -> None:
    receive_stock(units_by_sku={"MUG": 10})
    ended = at_once([lambda: reserve(("MUG", 1))] * 50)
    assert ended == {"done": 10, "OutOfStock": 40}
    assert books_agree()


def test_nobody_is_refused_while_stock_is_left() -> None:
    receive_stock(units_by_sku={"MUG": 50})
    assert at_once([lambda: reserve(("MUG", 1))] * 50) == {"done": 50}
    assert Stock.objects.get(sku="MUG").available == 0


def test_crossing_carts_do_not_deadlock() -> None:
    receive_stock(units_by_sku={"CUP": 1000, "MUG": 1000, "PAN": 1000})

    def forth() -> None:
        for _ in range(10):
            reserve(("CUP", 1), ("MUG", 1), ("PAN", 1))

    def back() -> None:
        for _ in range(10):
            reserve(("PAN", 1), ("MUG", 1), ("CUP", 1))

    assert at_once([forth, back] * 8) == {"done": 16}
    assert books_agree()


def test_reserving_and_releasing_at_once_keeps_the_books() -> None:
    receive_stock(units_by_sku={"CUP": 5, "MUG": 5})

    def there_and_back() -> None:
        for _ in range(10):
            try:
                request = reserve(("MUG", 1), ("CUP", 1))
            except OutOfStock:
                continue
            with transaction.atomic(using="inventory"):
                services.release_stock(ReleaseStock(request.saga_id, request.order_id))

    assert at_once([there_and_back] * 12) == {"done": 12}
    assert books_agree()
    assert Stock.objects.filter(reserved=0).count() == 2


def test_a_version_that_always_moved_still_ends_in_a_reservation(monkeypatch: pytest.MonkeyPatch) -> None:
    receive_stock(units_by_sku={"MUG": 10})
    losing, tries = services._take, []

    def take_too_late(stock: QuerySet[Stock], wanted: int) -> bool:
        tries.append(1)
        Stock.objects.filter(sku="MUG").update(version=F("version") + 1)
        return losing(stock, wanted)

    monkeypatch.setattr(services, "_take", take_too_late)
    reserve(("MUG", 4))
    assert len(tries) == services.VERSIONED_TRIES + 1
    assert Stock.objects.get(sku="MUG").reserved == 4


def test_a_lost_race_for_the_last_units_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    receive_stock(units_by_sku={"MUG": 10})
    losing = services._take

    def take_too_late(stock: QuerySet[Stock], wanted: int) -> bool:
        monkeypatch.setattr(services, "_take", losing)
        Stock.objects.filter(sku="MUG").update(version=F("version") + 1, reserved=7)
        return losing(stock, wanted)

    monkeypatch.setattr(services, "_take", take_too_late)
    with pytest.raises(OutOfStock, match="'available': 3"):
        reserve(("MUG", 4))
