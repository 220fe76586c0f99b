"""Databases that are away: asking each of them must not add up."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections

from config.env import ALIASES
from orchestration.engine import bulk_reads, selectors
from orchestration.operators.insight.money import money_of
from orchestration.operators.insight.saga_view import SagaView
from orchestration.operators.insight.search import search
from orchestration.operators.insight.sources import Unavailable
from orchestration.participant.participant import participants
from tests.integration.admin.situations import STEPS, Situations

pytestmark = pytest.mark.django_db(transaction=True, databases=list(ALIASES))

PRESENT = "inventory"
BAR = 3.0
"""Seconds for all of them; one alone is waited for as long as its pool tries, ten, by whoever has the time."""
BUSY = 3.0
"""Seconds by which this machine may be late."""


def close_pool(alias: str) -> None:
    connection: Any = connections[alias]
    connection.close()
    connection.close_pool()


@pytest.fixture
def all_but_one_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Away as an address is at which nobody listens: the pool tries for as long as it may."""
    away = [alias for alias in participants() if alias != PRESENT]

    def leave() -> None:
        for alias in away:
            close_pool(alias)
            monkeypatch.setitem(connections[alias].settings_dict, "PORT", "1")

    yield leave
    for alias in away:
        close_pool(alias)


def test_whoever_reads_a_saga_waits_once_for_three_absent_databases(
    situations: Situations, all_but_one_away: Callable[[], None]
) -> None:
    saga_id = situations.running()
    situations.act(saga_id, STEPS[0])
    all_but_one_away()
    instance = selectors.saga(saga_id)
    assert instance is not None
    began = time.monotonic()

    rows = selectors.ledger_rows(instance)

    assert time.monotonic() - began < BAR + BUSY
    assert {service for service, found in rows.items() if found is None} == {"payments", "shipping", "orders"}
    assert [row.step for row in rows[PRESENT] or ()] == [STEPS[0]]


def test_whoever_waits_for_an_order_that_has_ended_does_so_too(
    situations: Situations, all_but_one_away: Callable[[], None]
) -> None:
    saga_id = situations.completed()
    all_but_one_away()
    began = time.monotonic()

    reading = bulk_reads.read(saga_id)

    assert time.monotonic() - began < BAR + BUSY
    assert reading is not None
    assert reading.ledgers is not None
    assert reading.ledgers["orders"] is None
    assert reading.ledgers[PRESENT] is not None


def test_a_search_and_a_money_line_do_so_too(situations: Situations, all_but_one_away: Callable[[], None]) -> None:
    saga_id = situations.running()
    all_but_one_away()
    began = time.monotonic()

    found = search(str(saga_id))
    instance = selectors.saga(saga_id)
    assert instance is not None
    money = money_of(SagaView(instance, log=[], steps=None, ledgers={}))

    assert time.monotonic() - began < 2 * BAR + BUSY
    assert [saga.pk for saga in found.sagas] == [saga_id]
    assert any("payments" in why for why in found.unread)
    assert isinstance(money, Unavailable)
