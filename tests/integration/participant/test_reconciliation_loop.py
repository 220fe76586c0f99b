"""The loop that reconciles asks again and again, one process at a time, whatever goes wrong."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from redis import Redis

from orchestration.participant import reconciliation
from orchestration.participant.breaker_redis import connect
from orchestration.participant.ledger import Status
from orchestration.participant.participant import Participant
from orchestration.participant.reconciliation import (
    ReconciliationLease,
    ReconciliationRound,
    reconcile_open_rows,
    run_forever,
)
from tests.integration.participant.unknown_payments import history, timed_out
from tests.support.threads import at_once
from tests.support.wait import wait_for

pytestmark = pytest.mark.django_db(transaction=True, databases=["payments", "gateway"])


@dataclass
class Runner:
    """The loop in a thread."""

    stopped: Event

    def until(self, condition: Callable[[], bool], participant: Participant) -> None:
        def go(number: int) -> None:
            if number:
                run_forever(participant, self.stopped)
                return
            try:
                wait_for(condition, seconds=20, what="a round of reconciliation")
            finally:
                self.stopped.set()

        for error in at_once(2, go):
            if error is not None:
                raise error


@pytest.fixture
def often(settings) -> Runner:
    """A round every tenth of a second; nobody else's turn counts."""
    settings.SETTLE_PERIOD = timedelta(seconds=0.1)
    settings.TOPOLOGY = replace(settings.TOPOLOGY, prefix=f"{uuid4().hex}.")
    return Runner(Event())


def test_the_loop_outlives_a_round_that_failed(payments: Participant, often: Runner, monkeypatch) -> None:
    asked, fails = timed_out(payments), [RuntimeError("no database")]

    def round_(*args: Any, **kwargs: Any) -> ReconciliationRound:
        if fails:
            raise fails.pop()
        return reconcile_open_rows(*args, **kwargs)

    monkeypatch.setattr(reconciliation, "reconcile_open_rows", round_)
    often.until(lambda: history(asked)[-1] == Status.DONE, payments)

    assert not fails


class Watched(Event):
    """Notes which connection is held while nothing is to be done."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Any] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.held.append(connections["payments"].connection)
        return super().wait(timeout)


def test_no_connection_is_held_between_rounds(payments: Participant, often: Runner) -> None:
    timed_out(payments, "tok_timeout_before")
    watched = Watched()

    Runner(watched).until(lambda: len(watched.held) > 2, payments)

    assert set(watched.held) == {None}


def test_without_redis_everybody_asks(payments: Participant, often: Runner, settings) -> None:
    asked = timed_out(payments)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    often.until(lambda: history(asked)[-1] == Status.DONE, payments)


def test_one_process_has_the_turn_until_it_ends(settings) -> None:
    redis: Redis = connect(settings.REDIS_URL)
    first, second = (ReconciliationLease(f"test.{uuid4().hex}", redis, timedelta(seconds=0.3)),) * 2
    assert first.take()
    assert not second.take()
    wait_for(second.take, seconds=5)

    replace(first, lasts=timedelta(minutes=1)).keep()

    assert redis.pttl(first.name) > 30_000
    redis.delete(first.name)
