"""Where a saga's message is on its way, as far as its row and the ledgers say. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from orchestration.participant.ledger import LedgerRow, Status
from orchestration.protocol.itinerary import itinerary
from orchestration.protocol.next_command import pending_command
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Operation, State

Ledgers = Mapping[str, list[LedgerRow] | None]

BEHIND = {
    Operation.ACTION: frozenset({Status.DONE}),
    Operation.COMPENSATION: frozenset({Status.UNDONE, Status.BARRED, Status.REFUSED}),
    Operation.BAR: frozenset({Status.BARRED, Status.DONE, Status.REFUSED}),
}
"""What a step's ledger row says when the message has gone on."""


@dataclass(frozen=True)
class Whereabouts:
    """The stop that is next or under way; `step` is empty when all are behind it and only the report is to come."""

    task: str
    step: str
    operation: Operation
    service: str
    arrived_at: datetime | None
    """When the stop before it was done, as its ledger says; None when this is the first."""
    row: LedgerRow | None
    """What the step's service remembers of it."""


def whereabouts(saga: Saga, state: State, ledgers: Ledgers) -> Whereabouts | None:
    """Return where the message that was sent is now, or where the next one would go; None if nothing is pending."""
    command = pending_command(saga, state)
    if command is None:
        return None
    stops, report = itinerary(saga, command)
    before: datetime | None = None
    for stop in stops:
        service = saga.by_name[stop.step].action.service
        row = next((row for row in ledgers.get(service) or () if row.step == stop.step), None)
        if row is None or row.status not in BEHIND[stop.operation]:
            return Whereabouts(stop.task, stop.step, stop.operation, service, before, row)
        before = row.changed_at
    return Whereabouts(report, "", stops[-1].operation if stops else Operation.ACTION, "", before, None)
