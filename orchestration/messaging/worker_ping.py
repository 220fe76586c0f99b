"""Who works: each worker says what it consumes and what time it has."""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from celery import current_app
from django.conf import settings

ANSWERED_WITHIN = timedelta(seconds=1)


@dataclass(frozen=True)
class Present:
    """A worker that answered; `queues` by their names at the broker. `ahead` is how much its clock is before ours."""

    name: str
    queues: tuple[str, ...]
    ahead: timedelta


def present(within: timedelta = ANSWERED_WITHIN) -> list[Present]:
    """The workers of these queues that answer within the time.

    :raises kombu.exceptions.OperationalError: when the broker is away.
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
    """Have this worker answer; celery's own commands say neither."""
    from celery.worker.control import inspect_command

    @inspect_command()  # type: ignore[untyped-decorator]
    def roll_call(state: Any) -> dict[str, Any]:
        return {"queues": sorted(state.app.amqp.queues.consume_from), "now": time.time()}


def _present(name: str, answer: dict[str, Any], asked_at: float) -> Present:
    """It answered between the question and now; what its clock is beyond either is its own."""
    late = min(0.0, answer["now"] - asked_at)
    early = max(0.0, answer["now"] - time.time())
    return Present(name, tuple(answer["queues"]), timedelta(seconds=late or early))
