"""The messages that workers have received and not finished, which a marker overtakes.

A queue is first in, first out. A worker is not: it receives many messages and works on some. So whenever a marker
passes a queue, each worker notes the sagas whose messages it holds. When the marker returns, recovery collects the
notes. A worker that does not answer is frozen or dead.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from celery import current_app

COMMAND = "note_held"
NEXT_ANSWER_WITHIN = timedelta(seconds=0.5)
"""Time allowed after each answer for the next. Workers answer within milliseconds of each other."""
MARKERS_NOTED = 100
"""The newest markers that a worker keeps notes for. Each saga definition has a few under way."""

Held = tuple[UUID, int]
"""A saga id, and the token of the message that was sent for it."""

_notes: OrderedDict[str, set[tuple[str, int]]] = OrderedDict()


def have_noted(marker: str) -> None:
    """Tell every worker to note the messages it holds, because the marker has passed a queue.

    :raises kombu.exceptions.OperationalError: when the broker is unavailable.
    """
    with current_app.connection_for_write() as connection:
        current_app.control.broadcast(COMMAND, arguments={"marker": marker}, connection=connection)


def overtaken_by(marker: str) -> set[Held]:
    """Return the messages that workers held when the marker passed a queue, and those that they hold now.

    :raises kombu.exceptions.OperationalError: when the broker is unavailable.
    """
    with current_app.connection_for_write() as connection:
        said = current_app.control.broadcast(
            COMMAND,
            arguments={"marker": marker},
            reply=True,
            timeout=NEXT_ANSWER_WITHIN.total_seconds(),
            connection=connection,
        )
    answers = [answer for each in said or () for answer in each.values()]
    return {(UUID(saga_id), int(token)) for each in answers for saga_id, token in each.get("held", ())}


def register() -> None:
    """Make this worker answer the command."""
    from celery.worker import state as worker
    from celery.worker.control import inspect_command

    @inspect_command(name=COMMAND, args=[("marker", str)])  # type: ignore[untyped-decorator]
    def note_held(state: Any, marker: str) -> dict[str, Any]:
        return {"held": sorted(noted(marker, list(worker.requests.values())))}


def noted(marker: str, requests: Collection[Any]) -> set[tuple[str, int]]:
    """Add the sagas of these requests to the marker's notes, and return all of these notes."""
    notes = _notes.setdefault(marker, set())
    notes.update(_sagas_in(requests))
    while len(_notes) > MARKERS_NOTED:
        _notes.popitem(last=False)
    return notes


def _sagas_in(requests: Collection[Any]) -> Iterator[tuple[str, int]]:
    for request in requests:
        kwargs = request.kwargs or {}
        if "saga_id" in kwargs and "token" in kwargs:
            yield str(kwargs["saga_id"]), int(kwargs["token"])
