"""Sagas that take and release locks at the same moment, in PostgreSQL: none overlap, and none is forgotten."""

import random
from functools import partial
from itertools import pairwise
from threading import Event
from typing import Any

import pytest
from django.db import connections

from orchestration.db import transactions
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Done
from orders.models import Hold, Turn
from tests.integration.participant.shelves import Aisle, again, back_out, call, enter, leave
from tests.support.threads import at_once
from tests.support.wait import wait_for

pytestmark = pytest.mark.django_db(transaction=True, databases=["orders"])

SHELVES = [f"s{number:02}" for number in range(12)]


@pytest.fixture
def aisle() -> Aisle:
    return Aisle()


def test_fifty_sagas_never_overlap_and_are_served_in_order(aisle: Aisle) -> None:
    served: list[int | None] = []
    aisle.meanwhile = lambda step: served.append(aisle.held().turn) if step == "enter" else None

    def work(_: int) -> None:
        mine = call()
        wait_for(partial(_is_in, aisle, mine), what="its turn")
        assert isinstance(aisle.outcome(leave, again(mine, step="leave")), Done)

    assert at_once(50, work) == [None] * 50
    steps = aisle.done
    assert [step for step, _ in steps] == ["enter", "leave"] * 50
    assert [saga for _, saga in steps[::2]] == [saga for _, saga in steps[1::2]]
    turns = [turn for turn in served if turn is not None]
    assert turns == sorted(turns)
    assert len(turns) > 25
    assert (Hold.objects.count(), Turn.objects.count()) == (0, 0)


def test_turn_never_exists_without_a_hold(aisle: Aisle) -> None:
    ended = Event()

    def work(number: int) -> Any:
        return _look(ended) if number == 0 else _take_and_release(aisle, random.Random(number))

    def until_all_are_done(number: int) -> Any:
        try:
            return work(number)
        finally:
            finished.append(number)
            if len(finished) == 6:
                ended.set()

    finished: list[int] = []
    looks, *rest = at_once(7, until_all_are_done)

    assert rest == [None] * 6
    assert looks[1:] == (0,)
    assert looks[0] > 100


def _take_and_release(aisle: Aisle, chance: random.Random) -> None:
    for _ in range(60):
        aisle.run(enter, *(call(shelf) for shelf in chance.sample(SHELVES, 2)))
        held = chance.sample(found := aisle.participant.rows.locks.held(), min(len(found), 8))
        aisle.run(leave, *(call(each.resource.partition(":")[2], saga_id=each.saga_id, step="leave") for each in held))


def _look(ended: Event) -> tuple[int, int]:
    """Return how often it looked, and how many turns it found without a hold."""
    looks = alone = 0
    while not ended.is_set():
        with connections["orders"].cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM orders_turn AS turn "
                "WHERE NOT EXISTS (SELECT 1 FROM orders_hold AS hold WHERE hold.resource = turn.resource)"
            )
            looks, alone = looks + 1, alone + cursor.fetchone()[0]
    return looks, alone


@pytest.mark.parametrize("round_", range(10))
def test_release_and_compensation_of_the_next_at_once_leave_the_lock_to_the_one_after(
    aisle: Aisle, round_: int
) -> None:
    ann, bob, eve = call(), call(), call()
    aisle.run(enter, ann, bob, eve)
    works = [
        partial(aisle.outcome, leave, again(ann, step="leave")),
        partial(aisle.outcome, back_out, again(bob, token=2)),
        partial(aisle.outcome, enter, bob),
    ]

    ends = at_once(3, lambda number: works[(number + round_) % 3]())
    aisle.run(back_out, again(bob, token=2))

    assert [end for end in ends if isinstance(end, Exception)] == []
    assert (aisle.holder(), aisle.queue()) == (eve.saga_id, [])


def test_batches_that_take_many_locks_meet_no_deadlock(aisle: Aisle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "TRIES", 1)  # a deadlock in PostgreSQL is not tried again, but seen

    def work(number: int) -> list[Any]:
        chance, errors = random.Random(number), []
        for _ in range(25):
            asked = [call(shelf) for shelf in chance.sample(SHELVES, 8)]
            ends = aisle.outcomes(enter, *asked) + aisle.outcomes(back_out, *(again(each, token=2) for each in asked))
            errors += [end for end in ends if isinstance(end, Exception)]
        return errors

    assert at_once(6, work) == [[]] * 6
    assert (Hold.objects.count(), Turn.objects.count()) == (0, 0)


def test_a_fence_only_grows_for_a_resource(aisle: Aisle) -> None:
    fences: list[int] = []
    aisle.meanwhile = lambda step: fences.append(aisle.held().fence) if step == "enter" else None

    def work(_: int) -> None:
        for mine in [call() for _ in range(10)]:
            wait_for(partial(_is_in, aisle, mine), what="its turn")
            aisle.run(leave, again(mine, step="leave"))

    at_once(4, work)

    assert len(fences) == 40
    assert all(before < after for before, after in pairwise(fences))


def _is_in(aisle: Aisle, mine: Call) -> bool:
    return isinstance(aisle.outcome(enter, mine), Done)
