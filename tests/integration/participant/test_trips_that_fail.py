"""What becomes of a transaction whose statements are gathered when one of them, or its connection, fails."""

import signal
import threading
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any

import pytest
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InternalError,
    OperationalError,
    connections,
    transaction,
)

from orchestration.db import transactions
from orchestration.db.commits import commit_at_once
from orchestration.db.sql import execute, run_later
from tests.integration.participant.gathering import ALIAS, NUMBER, POINT, NoLuck, cause, written
from tests.support.wait import wait_for

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["inventory"]),
    pytest.mark.usefixtures("connection_as_it_was"),
]


@pytest.mark.parametrize("read_behind_it", [False, True])
@pytest.mark.parametrize("more_behind_it", [0, 3])
def test_what_is_raised_is_the_first_error_and_nothing_is_written(read_behind_it: bool, more_behind_it: int) -> None:
    def work() -> None:
        run_later(ALIAS, NUMBER, "TWICE")
        run_later(ALIAS, NUMBER, "TWICE")
        for number in range(more_behind_it):
            run_later(ALIAS, NUMBER, f"BEHIND-{number}")
        if read_behind_it:
            execute(ALIAS, "SELECT 1")

    with pytest.raises(IntegrityError) as error:
        transactions.run(ALIAS, POINT, work)

    assert cause(error) == "23505"
    assert written() == []


def test_what_is_left_to_the_commit_is_tried_again_after_a_deadlock() -> None:
    for sku in ("A", "B"):
        execute(ALIAS, NUMBER, sku)
    both, runs = threading.Barrier(2), []

    def take(first: str, second: str) -> None:
        def work() -> None:
            runs.append(first)
            execute(ALIAS, "SELECT 1 FROM inventory_stock WHERE sku = %s FOR UPDATE", first)
            with suppress(threading.BrokenBarrierError):
                both.wait(1)
            run_later(ALIAS, "SELECT 1 FROM inventory_stock WHERE sku = %s FOR UPDATE", second)
            run_later(ALIAS, NUMBER, f"{first}-{second}")

        transactions.run(ALIAS, POINT, work)
        connections[ALIAS].close()

    threads = [threading.Thread(target=take, args=pair) for pair in (("A", "B"), ("B", "A"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert written() == ["A", "A-B", "B", "B-A"]
    assert len(runs) == 3


def test_what_is_left_to_the_commit_is_tried_again_when_the_connection_is_lost() -> None:
    tries = []

    def work() -> None:
        [(pid,)] = execute(ALIAS, "SELECT pg_backend_pid()")
        tries.append(pid)
        run_later(ALIAS, NUMBER, "ONCE")
        if len(tries) == 1:
            other = connections[ALIAS].copy()
            with other.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            other.close()

    transactions.run(ALIAS, POINT, work)

    assert len(tries) == 2
    assert written() == ["ONCE"]


def test_a_transaction_whose_error_was_swallowed_commits_nothing_and_says_so() -> None:
    """PostgreSQL answers such a COMMIT with a ROLLBACK, which is no error to it."""

    def work() -> None:
        execute(ALIAS, NUMBER, "ONE")
        with suppress(IntegrityError):
            execute(ALIAS, NUMBER, "ONE")

    with pytest.raises(InternalError, match="nothing was committed"):
        transactions.run(ALIAS, POINT, work)

    assert written() == []


@pytest.mark.parametrize("in_a_savepoint", [False, True])
def test_what_waits_is_not_forgotten_when_a_parameter_cannot_be_written(in_a_savepoint: bool) -> None:
    def work() -> None:
        run_later(ALIAS, NUMBER, "KEPT")
        with suppress(DataError), transaction.atomic(using=ALIAS) if in_a_savepoint else nullcontext():
            execute(ALIAS, "SELECT %s::text", "nul\0")

    transactions.run(ALIAS, POINT, work)

    assert written() == ["KEPT"]


def test_a_transaction_is_one_although_its_first_parameter_cannot_be_written() -> None:
    def work() -> None:
        with suppress(DataError):
            execute(ALIAS, "SELECT %s::text", "nul\0")
        execute(ALIAS, NUMBER, "ONE")
        raise NoLuck

    with suppress(NoLuck):
        transactions.run(ALIAS, POINT, work)

    assert written() == []


def test_an_interrupt_does_not_leave_the_server_going_on_to_the_commit() -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    def work() -> None:
        [(pid,)] = execute(ALIAS, "SELECT pg_backend_pid()")
        pids.append(pid)
        run_later(ALIAS, NUMBER, "GHOST")
        run_later(ALIAS, "SELECT pg_sleep(1)")
        signal.setitimer(signal.ITIMER_REAL, 0.2)

    pids: list[int] = []
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            transactions.run(ALIAS, POINT, work)
    finally:
        signal.signal(signal.SIGALRM, before)
    connections[ALIAS].close()
    wait_for(lambda: not execute(ALIAS, "SELECT 1 FROM pg_stat_activity WHERE pid = %s", pids[0]))

    assert written() == []


@pytest.mark.parametrize("discard", ["DEALLOCATE ALL", "ALTER TABLE inventory_stock ALTER version TYPE numeric"])
def test_a_prepared_statement_that_has_gone_stale_is_prepared_again_within_the_transactions_tries(discard: str) -> None:
    read = partial(execute, ALIAS, "SELECT version FROM inventory_stock")
    read()
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(discard)
    try:
        assert transactions.run(ALIAS, POINT, read) == []
    finally:
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("ALTER TABLE inventory_stock ALTER version TYPE bigint")


def test_what_cannot_be_sent_is_an_error_and_nothing_is_written() -> None:
    def work() -> None:
        run_later(ALIAS, NUMBER, "ONE")
        run_later(ALIAS, NUMBER, object())

    with pytest.raises(DatabaseError):
        transactions.run(ALIAS, POINT, work)

    assert written() == []


def test_a_single_statement_that_fails_leaves_the_callers_transaction_as_it_was() -> None:
    """As the transaction of its own that it would be elsewhere: whoever catches the error goes on."""
    execute(ALIAS, NUMBER, "TAKEN")
    with transaction.atomic(using=ALIAS):
        with suppress(IntegrityError):
            commit_at_once(ALIAS, POINT, NUMBER, "TAKEN")
        commit_at_once(ALIAS, POINT, NUMBER, "FREE")

    assert written() == ["FREE", "TAKEN"]


def test_a_single_statement_that_fails_says_why() -> None:
    execute(ALIAS, NUMBER, "TAKEN")
    with pytest.raises(IntegrityError) as error:
        commit_at_once(ALIAS, POINT, NUMBER, "TAKEN")

    assert cause(error) == "23505"


def test_after_a_lost_connection_a_single_statement_takes_another() -> None:
    connections[ALIAS].ensure_connection()
    connections[ALIAS].connection.close()

    assert commit_at_once(ALIAS, POINT, NUMBER, "ONE") == [(1,)]


def test_a_connection_that_is_lost_in_a_transaction_is_not_replaced_before_its_end() -> None:
    """What comes after it would be committed without what came before."""

    def work() -> None:
        with transaction.atomic(using=ALIAS):
            execute(ALIAS, NUMBER, "BEFORE")
            connections[ALIAS].connection.close()
            execute(ALIAS, NUMBER, "BEHIND")

    with pytest.raises(OperationalError):
        work()

    assert written() == []
