"""A transaction's statements gathered into few round trips: the same is written, in the same order."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from celery.worker import state
from django.db import connections, transaction

from inventory.models import Stock
from orchestration.db.commits import committing
from orchestration.db.sql import execute, run_later
from orchestration.execution import strategy
from orchestration.execution.results import Ending
from orchestration.messaging.canvas import Message
from orchestration.participant.manual_conclusion import resolve
from orchestration.participant.manual_outcome import Grounds, NotResolved, ReportedOutcome, Statement
from orchestration.participant.participant import Participant
from payments.gateways.sandbox.models import Operation
from payments.models import Payment
from tests.integration.participant.gathering import ALIAS, NUMBER, POINT, NoLuck, written
from tests.integration.participant.unknown_payments import timed_out

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["inventory", "payments", "gateway"]),
    pytest.mark.usefixtures("connection_as_it_was"),
]


@dataclass
class Tapped:
    """What goes to the server: lines of libpq's trace."""

    lines: list[str]

    @property
    def round_trips(self) -> int:
        return sum("\tSync" in line for line in self.lines)


@pytest.fixture
def tapped(tmp_path) -> Any:
    def tap(work) -> Tapped:
        execute(ALIAS, "SELECT 1")
        path, pgconn = tmp_path / "trace", connections[ALIAS].connection.pgconn
        with path.open("w") as file:
            pgconn.trace(file.fileno())
            try:
                work()
            finally:
                pgconn.untrace()
        return Tapped(path.read_text().splitlines())

    return tap


def test_a_savepoint_takes_back_what_waits_in_it_and_the_transaction_goes_on() -> None:
    with committing(ALIAS, POINT):
        run_later(ALIAS, NUMBER, "BEFORE")
        with suppress(NoLuck), transaction.atomic(using=ALIAS):
            run_later(ALIAS, NUMBER, "TAKEN-BACK")
            raise NoLuck
        run_later(ALIAS, NUMBER, "AFTER")

    assert written() == ["AFTER", "BEFORE"]


def test_what_waits_in_a_savepoint_that_is_taken_back_cannot_fail() -> None:
    """It would be taken back anyway: run, it keeps the ROLLBACK TO behind it from running."""
    with committing(ALIAS, POINT):
        run_later(ALIAS, NUMBER, "BEFORE")
        with suppress(NoLuck), transaction.atomic(using=ALIAS):
            run_later(ALIAS, NUMBER, "TWICE")
            run_later(ALIAS, NUMBER, "TWICE")
            raise NoLuck
        execute(ALIAS, NUMBER, "AFTER")

    assert written() == ["AFTER", "BEFORE"]


def test_savepoints_that_were_taken_back_leave_no_stale_prepared_statements() -> None:
    """The name of a savepoint comes again: of another thread with the same id, on the same pooled connection."""
    for takes_back in (True, False):
        connections[ALIAS].savepoint_state = 0
        with committing(ALIAS, POINT):
            execute(ALIAS, "SELECT 1")
            with suppress(NoLuck), transaction.atomic(using=ALIAS):
                if takes_back:
                    raise NoLuck
                execute(ALIAS, "SELECT 2")


def test_savepoints_do_not_push_other_statements_out_of_the_prepared_ones() -> None:
    with committing(ALIAS, POINT):
        for _ in range(60):
            with transaction.atomic(using=ALIAS):
                execute(ALIAS, "SELECT 1")

    prepared = execute(ALIAS, "SELECT statement FROM pg_prepared_statements")
    assert [text for (text,) in prepared if "SAVEPOINT" in text] == []


def test_the_beginning_goes_along_with_the_first_statement(tapped) -> None:
    def work() -> None:
        with committing(ALIAS, POINT):
            execute(ALIAS, "SELECT 1")
            run_later(ALIAS, NUMBER, "ONE")

    assert tapped(work).round_trips == 2


def test_a_transaction_in_another_sees_what_the_other_left_for_later() -> None:
    with committing(ALIAS, POINT):
        run_later(ALIAS, NUMBER, "OUTER")
        with committing(ALIAS, POINT):
            assert execute(ALIAS, "SELECT sku FROM inventory_stock") == [("OUTER",)]


def test_a_transaction_in_another_takes_back_only_its_own() -> None:
    with committing(ALIAS, POINT):
        execute(ALIAS, NUMBER, "OUTER")
        with suppress(NoLuck), committing(ALIAS, POINT):
            execute(ALIAS, NUMBER, "INNER")
            raise NoLuck

    assert written() == ["OUTER"]


def test_a_transaction_in_one_that_is_not_gathered_commits_with_it() -> None:
    with suppress(NoLuck), transaction.atomic(using=ALIAS):
        with committing(ALIAS, POINT):
            run_later(ALIAS, NUMBER, "INNER")
        assert written() == ["INNER"]
        raise NoLuck

    assert written() == []


@pytest.mark.parametrize("goes_on_with_the_orm", [False, True])
def test_a_statement_that_is_the_first_of_django_s_transaction_is_a_part_of_it(goes_on_with_the_orm: bool) -> None:
    with suppress(NoLuck), transaction.atomic(using=ALIAS):
        execute(ALIAS, NUMBER, "FIRST")
        if goes_on_with_the_orm:
            assert written() == ["FIRST"]
        raise NoLuck
    assert written() == []

    with transaction.atomic(using=ALIAS):
        execute(ALIAS, NUMBER, "KEPT")
    assert written() == ["KEPT"]


def test_rows_can_be_read_bit_by_bit_as_the_first_thing_in_a_transaction() -> None:
    execute(ALIAS, NUMBER, "ONE")
    with committing(ALIAS, POINT):
        assert [stock.sku for stock in Stock.objects.iterator()] == ["ONE"]


def test_a_rehearsal_finds_what_the_database_will_not_hold(payments: Participant) -> None:
    """Nothing is committed in a rehearsal, so what is left to the COMMIT must be run before it is taken back."""
    asked, now = timed_out(payments), datetime.now(UTC)
    held = Operation.objects.get().public_id
    Payment.objects.create(
        saga_id=uuid4(),
        order_id=uuid4(),
        amount_minor=1,
        currency="GBP",
        status="authorised",
        authorisation_id=held,
        created_at=now,
        changed_at=now,
    )
    word = Statement(ReportedOutcome.DONE, Grounds("ada", "it says so", "statement 7"), {"authorisation_id": held})

    with pytest.raises(NotResolved):
        resolve(payments, asked.saga_id, asked.step, word, rehearsed=True)


class Consumer:
    """As much of Celery's as a strategy needs."""

    hostname, event_dispatcher, connection_errors = "test", None, ()

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.pool = SimpleNamespace(limit=8, apply_async=lambda work, args, callback: threads.submit(work, *args))

    def call_soon_ack(self, act: Callable[[], None]) -> None:
        act()


def test_who_waits_for_the_broker_holds_no_database_connection(monkeypatch) -> None:
    """Turns go on meanwhile, so there can be more who wait than the pool has connections."""
    held: list[Any] = []
    posted = threading.Event()

    def post(_: Any) -> None:
        held.append(connections[ALIAS].connection)
        posted.set()

    def work(end: Any, _: Any) -> Any:
        def read(messages: Any) -> None:
            execute(ALIAS, "SELECT 1")
            end([Ending(message) for message in messages])

        return read

    origin = SimpleNamespace(acknowledge=lambda: None, eventer=None, id="1")
    monkeypatch.setattr(strategy, "publish", post)
    monkeypatch.setattr(state, "task_accepted", lambda _: None)
    monkeypatch.setattr(state, "task_ready", lambda _: None)
    task = type("Task", (), {"name": "test.read", "make_work": staticmethod(work)})()
    with ThreadPoolExecutor(8) as threads:
        tray = strategy.TaskStrategy(task, None, Consumer(threads))
        tray.put([Message("test.read", "1", "1", [], {}, origin=origin)])
        assert posted.wait(5)

    assert held == [None]
