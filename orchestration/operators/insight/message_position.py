"""The stop that a saga's message has reached, as far as its row and the ledgers show. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from orchestration.participant.ledger import LedgerRow, Status
from orchestration.protocol.itinerary import itinerary
from orchestration.protocol.next_command import pending_command
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Operation, State

Ledgers = Mapping[str, list[LedgerRow] | None]

PASSED = {
    Operation.ACTION: frozenset({Status.DONE}),
    Operation.COMPENSATION: frozenset({Status.UNDONE, Status.BARRED, Status.REFUSED}),
    Operation.BAR: frozenset({Status.BARRED, Status.DONE, Status.REFUSED}),
}
"""The statuses of a step's ledger row that show that the message has passed the step."""


@dataclass(frozen=True)
class MessagePosition:
    """The stop that is next or under way; `step` is empty when all steps are passed and only the report is pending."""

    task: str
    step: str
    operation: Operation
    service: str
    arrived_at: datetime | None
    """When the stop before it was done, by its ledger; None when this is the first stop."""
    row: LedgerRow | None
    """The step's ledger row, if its service has one."""


def message_position(saga: Saga, state: State, ledgers: Ledgers) -> MessagePosition | None:
    """Return the stop that the sent or the next message has reached; None if nothing is pending."""
    command = pending_command(saga, state)
    if command is None:
        return None
    stops, report = itinerary(saga, command)
    before: datetime | None = None
    for stop in stops:
        service = saga.by_name[stop.step].action.service
        row = next((row for row in ledgers.get(service) or () if row.step == stop.step), None)
        if row is None or row.status not in PASSED[stop.operation]:
            return MessagePosition(stop.task, stop.step, stop.operation, service, before, row)
        before = row.changed_at
    return MessagePosition(report, "", stops[-1].operation if stops else Operation.ACTION, "", before, None)
