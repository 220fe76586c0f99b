"""Asks each worker for its queues and its time."""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from celery import current_app
from django.conf import settings

ANSWERED_WITHIN = timedelta(seconds=1)


@dataclass(frozen=True)
class Present:
    """A worker that answered: its queues by their names at the broker, and how far its clock is ahead of ours."""

    name: str
    queues: tuple[str, ...]
    ahead: timedelta


def present(within: timedelta = ANSWERED_WITHIN) -> list[Present]:
    """Return the workers of our queues that answer within the time.

    :raises kombu.exceptions.OperationalError: when the broker is unavailable.
    """
    asked_at = time.time()
    with current_app.connection_for_write() as connection:
        said = current_app.control.broadcast(
            "roll_call", reply=True, timeout=within.total_seconds(), connection=connection
        )
    answers = [(name, answer) for each in said or () for name, answer in each.items() if "queues" in answer]
    ours = {queue.name for queue in settings.TOPOLOGY.queues}
    here = [_present(name, answer, asked_at) for name, answer in answers if ours & set(answer["queues"])]
    return sorted(here, key=lambda worker: worker.name)


def register() -> None:
    """Make this worker answer. Celery's own commands tell neither queues nor time."""
    from celery.worker.control import inspect_command

    @inspect_command()  # type: ignore[untyped-decorator]
    def roll_call(state: Any) -> dict[str, Any]:
        return {"queues": sorted(state.app.amqp.queues.consume_from), "now": time.time()}


def _present(name: str, answer: dict[str, Any], asked_at: float) -> Present:
    """Read an answer. It was given between `asked_at` and now; a clock outside of that span is wrong by the rest."""
    late = min(0.0, answer["now"] - asked_at)
    early = max(0.0, answer["now"] - time.time())
    return Present(name, tuple(answer["queues"]), timedelta(seconds=late or early))
