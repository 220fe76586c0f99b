"""Sagas that wait for each other's locks, driven by real workers: one is compensated and tried again, all end."""

import random
import signal
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from orchestration.engine import deadlocks, engine, store
from orchestration.models import ALIAS, Deadlock, SagaInstance
from orchestration.protocol.events import Paused
from orchestration.sagas import definitions
from orchestration.sagas.transfer_credit import transfer_credit
from payments.models import Hold, Ledger, Turn
from tests.support import two_locks_worker, wallets
from tests.support.two_locks import ExchangeRequested, exchange
from tests.support.wait import wait_for

pytestmark = pytest.mark.usefixtures("audited")

GRANTED, TRANSFERS, AT_ONCE = 100_000, 200, 10
"""What each customer has, in pence, how many transfers are made, and how many are under way at once."""
APP = "tests.support.two_locks_worker"


@pytest.fixture(autouse=True)
def deployed(workforce, clean_slate) -> Iterator[None]:
    """This process knows the saga that takes two locks."""
    two_locks_worker.deploy()
    yield
    definitions.pop(exchange.name)


def ring(size: int) -> list[UUID]:
    """Choose ids for sagas of which each takes one wallet, and then that of the next.

    The first lock of all but the first saga is held for it before it starts, so that they certainly meet.
    """
    sagas = [uuid7() for _ in range(size)]
    for number, saga_id in enumerate(sagas[1:], start=1):
        Hold.objects.create(resource=f"wallet:{number}", saga_id=saga_id, step="take_first", fence=number)
    return sagas


def place(sagas: Sequence[UUID], number: int) -> None:
    """Start one saga of the ring."""
    request = ExchangeRequested(str(number), str((number + 1) % len(sagas)))
    origin = engine.Origin("customer-1", f"key-{number}", "hash")
    engine.start_saga(exchange, request, saga_id=sagas[number], origin=origin, now=datetime.now(UTC))


def row(saga_id: UUID) -> SagaInstance:
    return SagaInstance.objects.using(ALIAS).get(pk=saga_id)


def waits(saga_id: UUID) -> None:
    """Wait until the saga waits for a lock."""
    wait_for(lambda: row(saga_id).waits_for is not None, seconds=120, what=f"saga {saga_id} waits")


def successor_of(victim: UUID) -> UUID:
    found = wait_for(lambda: store.find_successors([victim]), seconds=120, what=f"a successor of {victim}")
    assert found is not None
    return found[victim].pk


def has_ended_well(shop, sagas: Sequence[UUID]) -> None:
    """See that one saga was given up and its work done by a successor, and that no lock is left."""
    wait_for(lambda: Deadlock.objects.exists(), seconds=120, what="an ended deadlock")
    [found] = Deadlock.objects.all()
    assert set(found.cycle) == set(map(str, sagas))
    others = [saga_id for saga_id in sagas if saga_id != found.victim_id]
    successor = successor_of(found.victim_id)
    assert shop.ended(found.victim_id, *others, successor) == ["compensated"] + ["completed"] * len(sagas)
    assert not Hold.objects.exists()
    assert not Turn.objects.exists()
    done = Ledger.objects.filter(step="decide_exchange", status="done").values_list("saga_id", flat=True)
    assert set(done) == {*others, successor}, "each exchange was decided once"


@pytest.mark.parametrize("size", [2, 3])
def test_a_ring_of_sagas_ends_with_one_of_them_tried_again(shop, start_worker, size: int) -> None:
    sagas = ring(size)
    start_worker(app=APP)
    for number in range(size):
        place(sagas, number)
    has_ended_well(shop, sagas)


CRASHES = (
    "after grant payments.take_second 1",  # the saga waits, and the orchestrator does not know
    "before decide StepWaits 1",
    "after decide StepWaits 1",  # it waits, and no deadlock was looked for
    "before decide DeadlockFound 1",  # the victim is chosen, and not given up
    "after decide DeadlockFound 1",  # it is given up, and its pivot is not barred
    "before commit payments.bar 1",
    "after commit payments.bar 1",
    "after decide PivotBarred 1",
    "before let_go payments.drop_first 1",
    "after let_go payments.drop_first 1",  # another saga has its lock, and is not told
    "before decide StepsUndone 1",
    "after decide StepsUndone 1",  # the victim has ended, and its successor was not sent
    "after decide ChainCompleted 1",
)
RINGS = [(2, crash_at) for crash_at in CRASHES] + [(3, crash_at) for crash_at in CRASHES if "decide D" in crash_at]


@pytest.mark.parametrize(("size", "crash_at"), RINGS)
def test_a_ring_ends_whichever_process_dies(shop, start_worker, crash_at: str, size: int) -> None:
    sagas = ring(size)
    doomed = start_worker(app=APP, env={"CRASH_AT": crash_at})
    for number in range(size):
        place(sagas, number)
    assert doomed.wait_until_dead() == -signal.SIGKILL
    start_worker(app=APP)
    has_ended_well(shop, sagas)


def test_a_line_behind_a_saga_that_stands_still_is_no_deadlock(shop, start_worker) -> None:
    sagas = ring(3)
    start_worker(app=APP)
    Hold.objects.create(resource="wallet:0", saga_id=(holder := shop.place()), step="take_first", fence=9)
    place(sagas, 2)
    waits(sagas[2])
    place(sagas, 1)
    waits(sagas[1])
    engine.apply(holder, Paused("ops", "it stands still"), now=datetime.now(UTC))
    assert deadlocks.end_deadlocks(now=datetime.now(UTC)) == 0
    assert not Deadlock.objects.exists()
    Hold.objects.filter(resource="wallet:0").delete()  # it was never taken by a step, so no step releases it
    Turn.objects.filter(resource="wallet:0").delete()
    assert shop.ended(sagas[1], sagas[2]) == ["completed"] * 2


def test_a_customers_cancel_at_the_same_moment_leaves_no_lock_behind(shop, start_worker) -> None:
    sagas = ring(2)
    start_worker(app=APP)
    place(sagas, 0)
    waits(sagas[0])
    place(sagas, 1)
    wait_for(lambda: row(sagas[1]).waits_for or row(sagas[1]).phase != "running", seconds=120, what="the second waits")
    engine.cancel_saga(sagas[0], now=datetime.now(UTC))
    assert shop.ended(sagas[0]) == ["compensated"]
    victims = Deadlock.objects.values_list("victim_id", flat=True)
    last = successor_of(sagas[1]) if sagas[1] in victims else sagas[1]
    assert shop.ended(last) == ["completed"]
    assert not Hold.objects.exists()


def test_two_hundred_transfers_over_ten_wallets_all_end_and_move_credit_once(shop, start_worker) -> None:
    customers, chance = [f"customer-{number}" for number in range(10)], random.Random(14)
    for customer in customers:
        wallets.granted(customer, GRANTED)
    start_worker()
    expected = dict.fromkeys(customers, GRANTED)
    asked: dict[UUID, tuple[str, str, int]] = {}
    for number in range(TRANSFERS):
        source, target = chance.sample(customers, 2)
        saga_id = uuid7()
        asked[saga_id] = (source, target, number + 1)
        request = wallets.transfer(source, target, number + 1)
        origin = engine.Origin(source, f"key-{number}", "hash")
        engine.start_saga(transfer_credit, request, saga_id=saga_id, origin=origin, now=datetime.now(UTC))
        wait_for(lambda: unfinished() < AT_ONCE, seconds=120, what="fewer transfers under way")
    wait_for(lambda: unfinished() == 0, seconds=120, what="the end of all transfers")

    for saga_id, (source, target, amount_minor) in asked.items():
        if last_of(saga_id).phase == "completed":
            expected[source] -= amount_minor
            expected[target] += amount_minor
    found = wallets.balances()
    assert found == expected, "each transfer moved its amount once, or not at all"
    assert sum(found.values()) == GRANTED * len(customers)
    assert Deadlock.objects.count() <= TRANSFERS / 10
    completed = SagaInstance.objects.filter(definition=transfer_credit.name, phase="completed").count()
    assert completed >= TRANSFERS * 0.9, "few waited too long for a lock"


def unfinished() -> int:
    return SagaInstance.objects.using(ALIAS).filter(ended_at__isnull=True).count()


def last_of(saga_id: UUID) -> SagaInstance:
    """Return the saga that did the work of this one last."""
    while found := store.find_successors([saga_id]):
        saga_id = found[saga_id].pk
    return row(saga_id)
