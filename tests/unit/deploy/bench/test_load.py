"""Orders started at their times, and watched."""

from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from uuid import UUID, uuid4

import pytest

from deploy.bench import load, records
from deploy.bench.arrivals import ClosedLoop
from deploy.bench.cost import Reading
from deploy.bench.load import NoLoad, Window
from deploy.bench.records import EventKind, Record, Recorder, Tail

WINDOW = Window(warmup_s=0.05, seconds=0.1, drain_s=0.1, begins_within_s=0.1)


class Shop:
    """Ends every order at once, but never the first few, which are `lost`."""

    def __init__(self, file: Path, *, lost: int = 0) -> None:
        self.recorder = Recorder(file)
        self.lost = lost
        self.numbers: list[int] = []
        self.left = 0
        self._turn = Lock()

    def start_order(self, number: int, order: UUID) -> None:
        with self._turn:
            self.numbers.append(number)
            if len(self.numbers) > self.lost:
                self.recorder.add([Record(order, EventKind.COMPLETED, 0.0)])

    def leave(self) -> None:
        with self._turn:
            self.left += 1


class BrokenShop(Shop):
    """Takes no orders."""

    def start_order(self, number: int, order: UUID) -> None:
        raise ConnectionRefusedError


@pytest.fixture
def file() -> Iterator[Path]:
    with records.new_file() as path:
        yield path


def nothing() -> Reading:
    return Reading(None, 0)


def test_every_order_has_a_number_of_its_own_and_every_thread_leaves(file: Path) -> None:
    shop = Shop(file)
    happened = load.drive(shop, ClosedLoop(8), tail=Tail(file), window=WINDOW, look=nothing)
    assert sorted(shop.numbers) == list(range(len(shop.numbers)))
    assert len(shop.numbers) == len(happened.due) == len(happened.ends) > 8
    assert shop.left == load.STARTERS


def test_what_never_ends_is_not_waited_for_for_ever(file: Path) -> None:
    happened = load.drive(Shop(file, lost=3), ClosedLoop(8), tail=Tail(file), window=WINDOW, look=nothing)
    assert happened.unfinished() == 3


def test_a_shop_that_takes_no_orders_fails_the_measurement(file: Path) -> None:
    shop = BrokenShop(file)
    with pytest.raises(ConnectionRefusedError):
        load.drive(shop, ClosedLoop(8), tail=Tail(file), window=WINDOW, look=nothing)
    assert shop.left == load.STARTERS


def test_load_from_elsewhere_is_watched_from_its_first_order(file: Path) -> None:
    order = uuid4()
    Recorder(file).add([Record(order, EventKind.STARTED, 1.0), Record(order, EventKind.COMPLETED, 2.0)])
    happened = load.watch(tail=Tail(file), window=WINDOW, look=nothing)
    assert happened.due == {order: 1.0}
    assert happened.ends[order].at == 2.0


def test_load_that_does_not_begin_is_noticed(file: Path) -> None:
    with pytest.raises(NoLoad):
        load.watch(tail=Tail(file), window=WINDOW, look=nothing)
