"""What workers hold: messages that were delivered to them and wait inside, where a marker overtakes them.

A queue is first in, first out, and a worker is not: it takes in many messages and works on some. So whenever a marker
passes a queue, every worker is told, and notes which sagas' messages it holds at that moment. When the marker comes
back all are asked for their notes. A worker that does not answer is frozen or dead.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from celery import current_app

COMMAND = "note_held"
NEXT_ANSWER_WITHIN = timedelta(seconds=0.5)
"""After the last answer; workers answer within milliseconds of each other."""
MARKERS_NOTED = 100
"""So many markers a worker remembers, the newest: a few are under way for each saga definition."""

Held = tuple[UUID, int]
"""A saga, and the token of the message that it was sent."""

_notes: OrderedDict[str, set[tuple[str, int]]] = OrderedDict()


def have_noted(marker: str) -> None:
    """Have every worker note what it holds: the marker has passed a queue.

    :raises kombu.exceptions.OperationalError: when the broker is away.
    """
    with current_app.connection_for_write() as connection:
        current_app.control.broadcast(COMMAND, arguments={"marker": marker}, connection=connection)


def overtaken_by(marker: str) -> set[Held]:
    """What workers held when the marker passed a queue, and what they hold now.

    :raises kombu.exceptions.OperationalError: when the broker is away.
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
    """Have this worker note and answer."""
    from celery.worker import state as worker
    from celery.worker.control import inspect_command

    @inspect_command(name=COMMAND, args=[("marker", str)])  # type: ignore[untyped-decorator]
    def note_held(state: Any, marker: str) -> dict[str, Any]:
        return {"held": sorted(noted(marker, list(worker.requests.values())))}


def noted(marker: str, requests: Collection[Any]) -> set[tuple[str, int]]:
    """Add what the requests are about to what was noted for the marker before; give all of it."""
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
