"""Connections for threads whose time is short."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connections

from config.postgresql import base
from orchestration import deadline
from tests.chaos.proxy import LOOPBACK, Loop, Manner, Proxy
from tests.support.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True, databases=["orders"])

SHORT_S = 0.3


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy in front of the database of orders, for connections that are opened from now on."""
    monkeypatch.setattr(base, "LONG_ENOUGH_S", SHORT_S / 2)
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
