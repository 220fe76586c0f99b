"""Reserving the same stock from many threads at once."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
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
from orchestration.participant.refusals import VersionConflict

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


Race = Callable[[Callable[[int], None]], None]


@pytest.fixture
def race(monkeypatch: pytest.MonkeyPatch) -> Race:
    """Let somebody else be faster: their move, given the number of the try from 1, runs just before each try."""
    take = services._take

    def against(move: Callable[[int], None]) -> None:
        tries = count(1)

        def take_too_late(stock: QuerySet[Stock], wanted: int) -> bool:
            move(next(tries))
            return take(stock, wanted)

        monkeypatch.setattr(services, "_take", take_too_late)

    return against


def touch(**changes: int) -> None:
    Stock.objects.filter(sku="MUG").update(version=F("version") + 1, **changes)


def test_a_version_that_always_moved_still_ends_in_a_reservation(race: Race) -> None:
    receive_stock(units_by_sku={"MUG": 10})
    moves: list[int] = []

    def move(number: int) -> None:
        moves.append(number)
        touch()

    race(move)
    reserve(("MUG", 4))
    assert moves[-1] == services.VERSIONED_TRIES + 1
    assert Stock.objects.get(sku="MUG").reserved == 4


def test_a_lost_race_for_the_last_units_is_refused(race: Race) -> None:
    receive_stock(units_by_sku={"MUG": 10})
    race(lambda _: touch(reserved=7))
    with pytest.raises(OutOfStock, match="'available': 3"):
        reserve(("MUG", 4))


def test_the_last_try_does_not_oversell(race: Race) -> None:
    receive_stock(units_by_sku={"MUG": 10})
    race(lambda number: touch(reserved=7) if number > services.VERSIONED_TRIES else touch())
    with pytest.raises(OutOfStock, match="'available': 3"):
        reserve(("MUG", 4))


def test_units_that_come_back_after_the_last_try_are_not_refused(race: Race, monkeypatch: pytest.MonkeyPatch) -> None:
    receive_stock(units_by_sku={"MUG": 10})
    race(lambda number: touch(reserved=7) if number > services.VERSIONED_TRIES else touch())
    read_again, reads = services._read_again, count(1)

    def read_later(sku: str, wanted: int) -> Stock:
        if next(reads) > services.VERSIONED_TRIES:
            touch(reserved=0)
        return read_again(sku, wanted)

    monkeypatch.setattr(services, "_read_again", read_later)
    with pytest.raises(VersionConflict):
        reserve(("MUG", 4))
