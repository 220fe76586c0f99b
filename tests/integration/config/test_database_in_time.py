"""Connections for threads whose time is short."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from contextvars import copy_context
from typing import Any

import pytest
from django.db import OperationalError, connections

from config.postgresql import base
from orchestration.db import deadline
from orchestration.db.sessions import OutOfTime
from tests.chaos.proxy import LOOPBACK, Loop, Manner, Proxy
from tests.support.wait import wait_for

pytestmark = pytest.mark.django_db(transaction=True, databases=["orders"])

SHORT_S = 0.5
"""As half of what a customer's request has left, or less."""


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy in front of the database of orders, for connections that are opened from now on."""
    connection: Any = connections["orders"]
    loop = Loop()
    proxy = Proxy(loop, int(connection.settings_dict["PORT"])).start()
    connection.close()
    connection.close_pool()
    with monkeypatch.context() as patched:
        patched.setitem(connection.settings_dict, "HOST", LOOPBACK)
        patched.setitem(connection.settings_dict, "PORT", str(proxy.port))
        base.breaker_of("orders").close()
        yield proxy
        proxy.heal()
        connection.close()
        connection.close_pool()
    base.breaker_of("orders").close()
    proxy.close()
    loop.close()


def ask(seconds: float) -> float:
    """Ask the database within so much time; gives how long it took to fail.

    :raises AssertionError: when it does not.
    """
    began = time.monotonic()
    try:
        with deadline.within(seconds), pytest.raises(OperationalError), connections["orders"].cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connections["orders"].close()
    return time.monotonic() - began


def is_there() -> bool:
    try:
        with deadline.within(SHORT_S), connections["orders"].cursor() as cursor:
            cursor.execute("SELECT 1")
            return True
    except OperationalError:
        return False
    finally:
        connections["orders"].close()


def test_a_database_that_refuses_is_left_alone_after_a_vain_wait(proxy: Proxy) -> None:
    proxy.manner = Manner.REFUSE
    assert SHORT_S <= ask(SHORT_S) < 10 * SHORT_S
    assert base.breaker_of("orders").is_open()
    assert ask(60) < 1, "it was waited for although it was away a moment ago"


def test_a_silent_database_is_left_alone(proxy: Proxy) -> None:
    assert is_there()
    proxy.manner = Manner.SWALLOW
    assert SHORT_S <= ask(SHORT_S) < 10 * SHORT_S
    assert base.breaker_of("orders").is_open()


def test_a_database_that_is_back_is_asked_again(proxy: Proxy) -> None:
    proxy.manner = Manner.REFUSE
    ask(SHORT_S)
    proxy.heal()
    wait_for(is_there, what="the database of orders")
    assert not base.breaker_of("orders").is_open()


def test_a_wait_too_short_to_show_anything_opens_no_breaker(proxy: Proxy) -> None:
    proxy.manner = Manner.REFUSE
    ask(SHORT_S / 10)
    assert not base.breaker_of("orders").is_open()


def test_a_statement_that_outlasts_the_deadline_ends_alone(proxy: Proxy) -> None:
    """The server was only busy, so the breaker stays closed; the statement is cancelled."""
    assert is_there()
    connections["orders"].ensure_connection()
    busy = connections["orders"].connection.info.backend_pid
    with deadline.within(SHORT_S), pytest.raises(OperationalError) as error, connections["orders"].cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60)")
    assert isinstance(error.value.__cause__, OutOfTime)
    connections["orders"].close()
    assert not base.breaker_of("orders").is_open()
    wait_for(lambda: not is_busy(busy), what="the end of the statement")


@pytest.mark.parametrize("seconds", [0, SHORT_S])
def test_other_sessions_stay_when_one_thread_runs_out_of_time(proxy: Proxy, seconds: float) -> None:
    pool = pool_of_orders()
    other = pool.getconn()
    with deadline.within(60):
        connections["orders"].ensure_connection()
    pool.putconn(other)
    with deadline.within(seconds), pytest.raises(OperationalError), connections["orders"].cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60)")
    connections["orders"].close()
    assert not other.closed
    assert not base.breaker_of("orders").is_open()


def test_a_busy_pool_is_not_an_absent_database(proxy: Proxy) -> None:
    """One thread gets no connection in time, while another does."""
    pool = pool_of_orders()
    held = [pool.getconn() for _ in range(pool.max_size)]
    with ThreadPoolExecutor() as threads, deadline.within(60):
        lucky = threads.submit(copy_context().run, pool.getconn)
        wait_for(lambda: pool.get_stats()["requests_waiting"] == 1, what="a thread that waits")
        unlucky = threads.submit(ask, SHORT_S)
        wait_for(lambda: pool.get_stats()["requests_waiting"] == 2, what="another thread that waits")
        pool.putconn(held.pop())
        held.append(lucky.result())
        unlucky.result()
    assert not base.breaker_of("orders").is_open()
    for each in held:
        pool.putconn(each)


def test_a_request_waits_less_for_a_lock_than_a_worker() -> None:
    assert [lock_timeout(), lock_timeout(60), lock_timeout()] == ["2s", "500ms", "2s"]


def lock_timeout(seconds: float | None = None) -> str:
    """Give the bound that a thread with so much time meets; all use one session."""
    try:
        with deadline.within(seconds) if seconds else nullcontext(), connections["orders"].cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            return str(cursor.fetchone()[0])
    finally:
        connections["orders"].close()


def pool_of_orders() -> Any:
    connection: Any = connections["orders"]
    connection.pool.open()
    return connection.pool


def is_busy(pid: int) -> bool:
    with connections["orders"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND state = 'active'", [pid])
        return bool(cursor.fetchone()[0])
