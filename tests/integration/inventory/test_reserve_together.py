"""Reserving the same stock from many threads at once."""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connections, transaction
from django.db.models import F, QuerySet, Sum

from inventory import services, stock
from inventory.models import Movement, Reservation, Stock
from inventory.services import OutOfStock, receive_stock
from orchestration.contracts.inventory import ReleaseStock, ReserveStock
from orchestration.contracts.values import Line
from orchestration.db import transactions
from orchestration.failpoints import Failpoint, FailpointKind
from orchestration.participant.optimistic_locking import VERSIONED_TRIES
from tests.support.wait import wait_for

pytestmark = pytest.mark.django_db(transaction=True, databases=["inventory"])

POINT = Failpoint(FailpointKind.COMMIT, "inventory.reserve_stock")


def reserve(*wanted: tuple[str, int]) -> ReserveStock:
    request = ReserveStock(uuid4(), uuid4(), tuple(Line(sku, quantity, 100) for sku, quantity in wanted))
    with transaction.atomic(using="inventory"):
        [refusal] = services.reserve_stock([request])
        if refusal:
            raise refusal
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
                services.release_stock([ReleaseStock(request.saga_id, request.order_id)])

    assert at_once([there_and_back] * 12) == {"done": 12}
    assert books_agree()
    assert Stock.objects.filter(reserved=0).count() == 2


@pytest.mark.parametrize("last_first", [True, False])
def test_stock_is_locked_in_sku_order_wherever_its_rows_lie(last_first: bool) -> None:
    for sku in sorted(("CUP", "MUG"), reverse=last_first):
        receive_stock(units_by_sku={sku: 10})
    held = reserve(("CUP", 1), ("MUG", 1))

    def release() -> None:
        with transaction.atomic(using="inventory"):
            services.release_stock([ReleaseStock(held.saga_id, held.order_id)])

    with ThreadPoolExecutor(1) as elsewhere:
        with transaction.atomic(using="inventory"):
            Stock.objects.select_for_update().get(sku="CUP")
            releasing = elsewhere.submit(_and_let_go, release)
            wait_for(_somebody_waits_for_us, seconds=10)
            Stock.objects.select_for_update(nowait=True).get(sku="MUG")  # whoever waits does not hold it
        releasing.result(timeout=10)
    assert books_agree()


def _somebody_waits_for_us() -> bool:
    with connections["inventory"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
        return bool(cursor.fetchone()[0])


def _and_let_go(job: Callable[[], None]) -> None:
    try:
        job()
    finally:
        connections.close_all()


def request_for(sku: str, quantity: int) -> ReserveStock:
    return ReserveStock(uuid4(), uuid4(), (Line(sku, quantity, 100),))


def test_of_a_batch_who_comes_first_is_served_first_and_the_rest_is_refused_alone() -> None:
    receive_stock(units_by_sku={"MUG": 5, "CUP": 5})
    batch = [request_for("MUG", 3), request_for("MUG", 3), request_for("CUP", 1), request_for("PAN", 1)]
    batch += [request_for("MUG", 2)]

    with transaction.atomic(using="inventory"):
        answers = services.reserve_stock(batch)

    assert [answer and answer.code for answer in answers] == [None, "out_of_stock", None, "unknown_sku", None]
    held = set(Reservation.objects.values_list("saga_id", flat=True))
    assert held == {batch[index].saga_id for index in (0, 2, 4)}
    assert books_agree()


def test_batches_of_many_skus_at_once_keep_the_books() -> None:
    skus = [f"SKU-{number}" for number in range(40)]
    receive_stock(units_by_sku=dict.fromkeys(skus, 1000))

    def reserve_some() -> None:
        for _ in range(5):
            batch = [request_for(sku, 1) for sku in random.sample(skus, 20)]
            transactions.run("inventory", POINT, partial(services.reserve_stock, batch))

    assert at_once([reserve_some] * 6) == {"done": 6}
    assert books_agree()
    assert sum(Stock.objects.values_list("reserved", flat=True)) == 6 * 5 * 20


def test_what_a_batch_gives_back_is_exact() -> None:
    receive_stock(units_by_sku={"MUG": 10, "CUP": 10})
    one, two, three = reserve(("MUG", 1), ("CUP", 2)), reserve(("MUG", 3)), reserve(("MUG", 5))

    with transaction.atomic(using="inventory"):
        services.release_stock([ReleaseStock(each.saga_id, each.order_id) for each in (one, three)])

    assert dict(Stock.objects.values_list("sku", "reserved")) == {"MUG": 3, "CUP": 0}
    assert set(Reservation.objects.filter(released_at=None).values_list("saga_id", flat=True)) == {two.saga_id}
    assert books_agree()


Race = Callable[[Callable[[int], None]], None]


@pytest.fixture
def race(monkeypatch: pytest.MonkeyPatch) -> Race:
    """Let somebody else be faster: their move, given the number of the try from 1, runs just before each try."""
    take = stock._reserve

    def against(move: Callable[[int], None]) -> None:
        tries = count(1)

        def take_too_late(units: Mapping[str, Mapping[str, int]]) -> int:
            move(next(tries))
            return take(units)

        monkeypatch.setattr(stock, "_reserve", take_too_late)

    return against


def touch(**changes: int) -> None:
    """Change the mugs from a connection of one's own."""
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(_and_let_go, partial(_touch, changes)).result()


def _touch(changes: Mapping[str, int]) -> None:
    with transaction.atomic(using="inventory"), connections["inventory"].cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = 200")  # the next who gets this connection has the usual one
        Stock.objects.filter(sku="MUG").update(version=F("version") + 1, **changes)


def test_a_version_that_always_moved_still_ends_in_a_reservation(race: Race) -> None:
    receive_stock(units_by_sku={"MUG": 10})
    moves: list[int] = []

    def move(number: int) -> None:
        moves.append(number)
        if number <= VERSIONED_TRIES:
            touch()

    race(move)
    reserve(("MUG", 4))
    assert moves[-1] == VERSIONED_TRIES + 1
    assert Stock.objects.get(sku="MUG").reserved == 4


def test_a_lost_race_for_the_last_units_is_refused(race: Race) -> None:
    receive_stock(units_by_sku={"MUG": 10})
    race(lambda number: touch(reserved=7) if number == 1 else None)
    with pytest.raises(OutOfStock, match="'available': 3"):
        reserve(("MUG", 4))


def test_no_other_transaction_can_change_the_rows_of_the_last_try(race: Race) -> None:
    receive_stock(units_by_sku={"MUG": 10})
    race(lambda _: touch())
    with pytest.raises(OperationalError, match="lock timeout"):
        reserve(("MUG", 4))
