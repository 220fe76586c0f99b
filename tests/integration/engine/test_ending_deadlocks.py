"""A deadlock is found once, one saga is given up for it, and its work is tried again by a successor."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import OperationalError
from uuid_utils.compat import uuid7

from orchestration import signals, tasks
from orchestration.engine import deadlocks, engine, recovery, store
from orchestration.execution.results import Ending
from orchestration.execution.scheduler import INLINE
from orchestration.messaging.canvas import NOTHING, Message
from orchestration.models import ALIAS, Deadlock, SagaInstance, SagaLogEntry
from orchestration.protocol.deadlocks import MOST_RETRIES
from orchestration.protocol.events import (
    CancelRequested,
    DeadlockFound,
    Paused,
    PivotBarred,
    StepFailed,
    StepsUndone,
    StepWaits,
    Unpaused,
)
from orchestration.protocol.itinerary import STEP_WAITS
from orchestration.protocol.lock_waits import ASK_AGAIN_WITHIN
from orchestration.protocol.states import Bar, Forward, Operation
from orchestration.sagas import definitions
from tests.integration.engine.conftest import Sent
from tests.support.threads import at_once
from tests.support.two_locks import ExchangeRequested, exchange

pytestmark = pytest.mark.django_db(transaction=True, databases=["orchestration"])
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=2)
UNDONE = StepsUndone((("take_second", NOW), ("take_first", NOW)))


@pytest.fixture(autouse=True)
def exchange_is_registered(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(definitions, exchange.name, exchange)


def start(key: str) -> UUID:
    origin = engine.Origin("ann", key, "hash")
    request = ExchangeRequested("a", "b")
    return engine.start_saga(exchange, request, saga_id=uuid7(), origin=origin, now=NOW).saga_id


def wait(saga_id: UUID, holder: UUID, on: str = "wallet:b") -> SagaInstance:
    """The saga has its first lock, and waits for the second."""
    row = read(saga_id)
    report = StepWaits("take_second", row.token, on, holder, 0, NOW, done=(("take_first", NOW),))
    return engine.apply(saga_id, report, now=NOW)


def read(saga_id: UUID) -> SagaInstance:
    return SagaInstance.objects.using(ALIAS).get(pk=saga_id)


def loop(size: int) -> list[UUID]:
    """Sagas of which each waits for the next. The last is the youngest."""
    sagas = [start(f"key-{number}") for number in range(size)]
    for saga_id, holder in zip(sagas, [*sagas[1:], sagas[0]], strict=True):
        wait(saga_id, holder)
    return sagas


def undo(saga_id: UUID, now: datetime = NOW) -> SagaInstance:
    engine.apply(saga_id, PivotBarred(), now=now)
    return engine.apply(saga_id, UNDONE, now=now)


def successor_of(saga_id: UUID) -> SagaInstance | None:
    return store.find_successors([saga_id]).get(saga_id)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_one_saga_of_a_loop_is_given_up(sent: Sent, size: int) -> None:
    sagas = loop(size)

    assert deadlocks.end_deadlocks([sagas[0]], now=NOW) == 1
    assert {read(saga_id).phase for saga_id in sagas[:-1]} == {"running"}
    victim = read(sagas[-1])
    assert (victim.phase, victim.failure, victim.waits_for) == (
        "barring",
        {"code": "deadlock", "detail": "Please try again."},
        None,
    )
    assert sent.commands[-1][0] == Bar()
    assert deadlocks.end_deadlocks(now=NOW) == 0


def test_a_search_that_fails_does_not_bring_a_report_back(monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    """Test the work of a report after which the database fails. Recovery searches again."""
    waiting, holder = loop(2)
    facts = {"resource": "wallet:b", "holder": str(holder), "before": 0, "since": NOW.isoformat()}
    kwargs = {"saga_id": str(waiting), "token": 1, "step": "take_second", **facts}
    ended: list[Ending] = []

    def fail(*_: object, **__: object) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(store, "waits_around", fail)
    tasks._make_work(ended.extend, INLINE)([Message(STEP_WAITS, "1", "1", [NOTHING], kwargs)])

    assert [ending.error for ending in ended] == [None]
    assert "the search for deadlocks failed" in caplog.text


def test_the_deadlock_is_on_record_with_its_cycle_and_the_reason() -> None:
    sagas = loop(2)
    deadlocks.end_deadlocks(now=NOW)

    found = Deadlock.objects.using(ALIAS).get()
    assert (found.victim_id, found.cycle) == (sagas[1], [str(saga_id) for saga_id in sagas])
    assert (found.resources, found.definitions) == (["wallet:b", "wallet:b"], ["exchange.v1", "exchange.v1"])
    assert (found.reason, found.successor_id, found.found_at) == ("the youngest", None, NOW)
    entry = SagaLogEntry.objects.using(ALIAS).get(saga_id=sagas[1], kind="gave_up")
    assert entry.detail == {
        "code": "deadlock",
        "cycle": found.cycle,
        "resources": found.resources,
        "definitions": found.definitions,
        "reason": "the youngest",
    }


def test_a_saga_that_only_waits_for_a_loop_is_no_victim() -> None:
    sagas = loop(2)
    tail = start("tail")
    wait(tail, sagas[0])

    assert deadlocks.end_deadlocks([tail], now=NOW) == 0, "no saga waits for it, so it is in no loop"
    assert deadlocks.end_deadlocks(now=NOW) == 1
    assert (read(tail).phase, read(sagas[1]).phase) == ("running", "barring")


def test_a_line_that_ends_at_a_saga_that_waits_for_none_is_no_deadlock() -> None:
    first, second, third = (start(key) for key in ("1", "2", "3"))
    wait(first, second)
    wait(second, third)

    assert deadlocks.end_deadlocks(now=NOW) == 0


def test_a_round_of_recovery_ends_a_deadlock_that_was_not_found_when_it_began() -> None:
    sagas = loop(2)

    recovery.run_once(clock=lambda: NOW)

    assert [read(saga_id).phase for saga_id in sagas] == ["running", "barring"]


def test_of_many_detectors_one_ends_the_deadlock() -> None:
    loop(3)

    ended = at_once(8, lambda _: deadlocks.end_deadlocks(now=NOW))

    assert sum(ended) == 1
    assert Deadlock.objects.using(ALIAS).count() == 1
    assert SagaInstance.objects.using(ALIAS).filter(phase="barring").count() == 1


def test_a_victim_that_has_changed_since_it_was_read_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    sagas = loop(2)
    read_before = store.waits_around(None, limit=10)
    engine.apply(sagas[0], CancelRequested(), now=NOW)
    engine.apply(sagas[1], Paused("ops", "a look"), now=NOW)
    engine.apply(sagas[1], Unpaused("ops", "done"), now=NOW)
    monkeypatch.setattr(store, "waits_around", lambda *args, **options: read_before)

    assert deadlocks.end_deadlocks(now=NOW) == 0
    assert read(sagas[1]).phase == "running"
    assert not Deadlock.objects.using(ALIAS).exists()


def test_a_paused_saga_is_no_victim_because_it_would_keep_its_locks() -> None:
    sagas = loop(2)
    engine.apply(sagas[1], Paused("ops", "a look"), now=NOW)

    assert deadlocks.end_deadlocks(now=NOW) == 1
    assert [read(saga_id).phase for saga_id in sagas] == ["barring", "running"]


def test_a_loop_of_paused_sagas_is_left_until_one_is_unpaused() -> None:
    sagas = loop(2)
    for saga_id in sagas:
        engine.apply(saga_id, Paused("ops", "a look"), now=NOW)
    assert deadlocks.end_deadlocks(now=NOW) == 0

    engine.apply(sagas[0], Unpaused("ops", "done"), now=NOW)
    assert deadlocks.end_deadlocks(now=NOW) == 1


def test_a_definition_that_this_code_lacks_leaves_the_deadlock_to_other_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop(2)
    monkeypatch.delitem(definitions, exchange.name)

    assert deadlocks.end_deadlocks(now=NOW) == 0


def test_the_end_of_the_victim_begins_its_successor(sent: Sent) -> None:
    sagas = loop(2)
    deadlocks.end_deadlocks(now=NOW)
    assert successor_of(sagas[1]) is None, "the victim is not compensated yet"

    victim = undo(sagas[1], now=LATER)
    successor = successor_of(sagas[1])
    assert successor is not None
    assert victim.phase == "compensated"
    assert (successor.phase, successor.in_flight, successor.victim_count) == ("running", False, 1)
    assert (successor.request, successor.definition) == (victim.request, victim.definition)
    assert (successor.customer_id, successor.idempotency_key) == ("ann", "key-1\x1f1")
    assert (successor.deadline_at, successor.created_at) == (victim.deadline_at, LATER)
    assert successor.due_at is not None
    assert LATER <= successor.due_at <= LATER + timedelta(seconds=1)
    assert [entry.kind for entry in SagaLogEntry.objects.using(ALIAS).filter(saga=successor)] == ["started"]
    assert Deadlock.objects.using(ALIAS).get().successor_id == successor.pk

    recovery.run_once(clock=lambda: LATER + timedelta(seconds=1))
    assert sent.commands[-1] == (Forward(0), 2)


def test_a_report_that_comes_again_begins_no_second_successor() -> None:
    sagas = loop(2)
    deadlocks.end_deadlocks(now=NOW)
    engine.apply(sagas[1], PivotBarred(), now=NOW)

    at_once(4, lambda _: engine.apply(sagas[1], UNDONE, now=NOW))

    assert SagaInstance.objects.using(ALIAS).count() == 3


def test_the_work_is_tried_again_three_times_at_most() -> None:
    other = start("other")
    saga_id = start("again")
    keys = []
    for _ in range(MOST_RETRIES + 1):
        wait(saga_id, other)
        event = DeadlockFound((other, saga_id), ("wallet:a", "wallet:b"), ("exchange.v1",) * 2, "the youngest")
        engine.apply(saga_id, event, now=NOW)
        undo(saga_id)
        if successor := successor_of(saga_id):
            keys.append(successor.idempotency_key)
            recovery.run_once(clock=lambda: LATER)
            saga_id = successor.pk

    assert keys == ["again\x1f1", "again\x1f2", "again\x1f3"]
    last = read(saga_id)
    assert (last.phase, last.failure) == ("compensated", {"code": "deadlock", "detail": "Please try again."})


def test_without_time_left_the_work_is_not_tried_again() -> None:
    sagas = loop(2)
    deadlocks.end_deadlocks(now=NOW)
    undo(sagas[1], now=NOW + exchange.deadline)

    assert successor_of(sagas[1]) is None


@pytest.mark.parametrize("undoing", [False, True])
def test_a_victim_that_is_cancelled_is_not_tried_again(undoing: bool) -> None:
    sagas = loop(2)
    deadlocks.end_deadlocks(now=NOW)
    if undoing:
        engine.apply(sagas[1], PivotBarred(), now=NOW)
    engine.cancel_saga(sagas[1], now=NOW)

    victim = undo(sagas[1])
    assert (victim.phase, victim.last_error) == ("compensated", "deadlock")
    assert victim.failure == {"code": "cancelled", "detail": "It was cancelled."}
    assert successor_of(sagas[1]) is None
    assert SagaLogEntry.objects.using(ALIAS).filter(saga=victim, kind="cancelled").count() == 1


def test_a_cancelled_victim_is_cancelled_once() -> None:
    sagas = loop(2)
    deadlocks.end_deadlocks(now=NOW)
    cancelled = engine.cancel_saga(sagas[1], now=NOW)

    assert engine.cancel_saga(sagas[1], now=NOW).version == cancelled.version


def test_a_search_that_reads_too_few_waits_finds_the_deadlock_in_a_later_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop(3)
    monkeypatch.setattr(deadlocks, "MOST_WAITS", 2)
    assert deadlocks.end_deadlocks(now=NOW) == 0

    monkeypatch.setattr(deadlocks, "MOST_WAITS", 3)
    assert deadlocks.end_deadlocks(now=NOW) == 1


def test_a_wait_for_another_lock_ends_the_wait_before_it() -> None:
    heard: list[tuple[str, timedelta]] = []

    def hear(waits: list[tuple[str, timedelta]], **_: object) -> None:
        heard.extend(waits)

    signals.lock_waits_ended.connect(hear)
    try:
        saga_id, holder = start("waits"), start("holds")
        engine.apply(saga_id, StepWaits("take_first", 1, "wallet:a", holder, 0, NOW), now=NOW)
        recovery.run_once(clock=lambda: NOW + ASK_AGAIN_WITHIN)
        done = (("take_first", LATER),)
        again = StepWaits("take_second", read(saga_id).token, "wallet:b", holder, 0, LATER, done=done)
        engine.apply(saga_id, again, now=LATER)
        assert heard == [("wallet:a", LATER - NOW)]
    finally:
        signals.lock_waits_ended.disconnect(hear)


def test_an_ended_wait_is_signalled_with_the_time_until_the_step_was_done() -> None:
    heard: list[tuple[str, timedelta]] = []

    def hear(waits: list[tuple[str, timedelta]], **_: object) -> None:
        heard.extend(waits)

    signals.lock_waits_ended.connect(hear)
    try:
        saga_id, holder = start("waits"), start("holds")
        wait(saga_id, holder)
        assert heard == []
        recovery.run_once(clock=lambda: NOW + ASK_AGAIN_WITHIN)
        done = (("take_second", LATER),)
        token = read(saga_id).token
        engine.apply(saga_id, StepFailed("decide_exchange", Operation.ACTION, token, {}, done=done), now=LATER)
        assert heard == [("wallet:b", LATER - NOW)]
    finally:
        signals.lock_waits_ended.disconnect(hear)
