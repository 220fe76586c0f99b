"""A lock whose holder does not go on: a lost host has it taken away; until then one order fails and not its batch."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from uuid import UUID

import pytest
from django.conf import settings
from django.db import Error, connections, transaction
from uuid_utils.compat import uuid7

from config.settings.databases import SERVER_PARAMETERS
from inventory.models import Stock
from inventory.services import receive_stock
from inventory.tasks import participant as inventory
from orchestration.contracts.codec import encode
from orchestration.contracts.inventory import reserve_stock
from orchestration.contracts.values import Line
from orchestration.db import bisection
from orchestration.db.bisection import TRIED_APART
from orchestration.participant.executor import each_apart
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Done
from orchestration.testing import step_runner
from tests.support.wait import wait_for

pytestmark = pytest.mark.django_db(transaction=True, databases=["inventory"])

LOST, OTHERS = "LOST", [f"OTHER-{number:02}" for number in range(15)]
BUSY = 4.0
"""Seconds by which this machine may be late."""


@pytest.fixture(autouse=True)
def stock() -> None:
    receive_stock(units_by_sku=dict.fromkeys([LOST, *OTHERS], 100))


@contextmanager
def locked(sku: str, *, says: str | None = None) -> Iterator[None]:
    """Have another session hold the row; it `says` that statement all the while, or nothing, as a lost host does."""
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with suppress(Error), transaction.atomic(using="inventory"):
            Stock.objects.select_for_update().get(sku=sku)
            held.set()
            while not over.wait(0.2):
                if says:
                    with connections["inventory"].cursor() as cursor:
                        cursor.execute(says)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(10)
        yield
    finally:
        over.set()
        thread.join()


def reserving(sku: str) -> Call:
    saga_id = uuid7()
    known = {"saga_id": str(saga_id), "order_id": str(uuid7()), "lines": encode((Line(sku, 1, 100),))}
    return Call(saga_id, "reserve_stock", token=1, known=known)


def can_be_sold(sku: str) -> bool:
    with suppress(Error), transaction.atomic(using="inventory"):
        return bool(Stock.objects.select_for_update(nowait=True).get(sku=sku))
    return False


def test_a_session_that_says_nothing_in_the_midst_of_a_transaction_is_ended() -> None:
    bound = SERVER_PARAMETERS["idle_in_transaction_session_timeout"] / 1000
    with locked(LOST):
        assert not can_be_sold(LOST)
        wait_for(lambda: can_be_sold(LOST), seconds=bound + BUSY, what="the end of the silent session")


@pytest.mark.parametrize("alias", [name for name in settings.DATABASES if name != "default"])
def test_every_connection_has_a_bound_for_silence_on_both_sides(alias: str) -> None:
    options = settings.DATABASES[alias]["OPTIONS"]
    reported = dict(each.split("=") for each in options["options"].split("-c ") if each.strip())
    assert 0 < int(reported["idle_in_transaction_session_timeout"]) < 15_000
    assert int(reported["lock_timeout"]) < int(reported["statement_timeout"]) / 2
    for sides in (reported, options):
        assert 0 < int(sides["tcp_user_timeout"]) <= 10_000
    assert options["keepalives_idle"] + options["keepalives_interval"] * options["keepalives_count"] < 15


def test_a_lock_fails_one_order_and_not_its_batch() -> None:
    calls = [reserving(sku) for sku in [*OTHERS, LOST]]
    with locked(LOST, says="SELECT 1"):
        began = time.monotonic()
        ended = each_apart(_outcomes, calls)
        took = time.monotonic() - began

    *others, lost = (ended[call.saga_id] for call in calls)
    assert others == [Done({})] * len(OTHERS)
    assert isinstance(lost, Error)
    assert took < SERVER_PARAMETERS["lock_timeout"] / 1000 + TRIED_APART.total_seconds() + BUSY


def test_a_batch_whose_orders_all_wait_for_one_lock_gives_up_soon(monkeypatch) -> None:
    """Halving it down to each would take as many waits as it has members, and nobody else's batch can run meanwhile."""
    monkeypatch.setattr(bisection, "TRIED_APART", timedelta(seconds=0.3))
    calls = [reserving(LOST) for _ in range(64)]
    tries = []

    def counted(some: Sequence[Call]) -> dict[UUID, object]:
        tries.append(len(some))
        return _outcomes(some)

    with locked(LOST, says="SELECT 1"):
        ended = each_apart(counted, calls)

    assert all(isinstance(each, Error) for each in ended.values())
    assert len(ended) == 64
    assert len(tries) < 16


def _outcomes(calls: Sequence[Call]) -> dict[UUID, object]:
    outcomes = step_runner.act(inventory, reserve_stock, calls)
    return {call.saga_id: outcome for call, outcome in zip(calls, outcomes, strict=True)}
