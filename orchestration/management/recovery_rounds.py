"""Rounds of recovery that an operator runs, instead of the workers' loops."""

import time
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from orchestration.db import clocks
from orchestration.engine import recovery
from orchestration.models import ALIAS, SagaInstance


@dataclass(frozen=True)
class Rounds:
    """The result of rounds of recovery: the number of checks of sagas, and the number of sagas that are still due."""

    rounds: int
    looked_at: int
    due: int


def due_sagas() -> int:
    """Count the sagas that wait for recovery."""
    return SagaInstance.objects.using(ALIAS).filter(due_at__lte=clocks.now()).count()


def recover(patience: timedelta) -> Rounds:
    """Run rounds of recovery until nothing is due or `patience` is over; at least one round.

    More than one is needed where a message may be lost: a marker must come back first (`markers`).
    """
    until = time.monotonic() + patience.total_seconds()
    rounds = looked_at = 0
    while True:
        looked_at += recovery.run_once()
        rounds += 1
        due = due_sagas()
        if not due or time.monotonic() >= until:
            return Rounds(rounds, looked_at, due)
        time.sleep(settings.RECOVERY_PERIOD.total_seconds())
