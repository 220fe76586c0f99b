"""A participant at work: actions, compensations and bars, each exactly once, whatever is sent how often."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.db import transaction

from orchestration.contracts.codec import decode
from orchestration.contracts.command import Action, Compensation
from orchestration.participant import outside_handler, rows, transactions
from orchestration.participant.ledger import Status
from orchestration.participant.outcomes import Done, Outcome, change_to, outcome_of, outcome_told
from orchestration.participant.outside import Outside
from orchestration.participant.participant import Participant
from orchestration.participant.refusals import Refusal
from orchestration.participant.rows import Call, Change


class StillOpen(Exception):
    """The step has been started outside and may yet be done: it cannot be barred."""


def act(participant: Participant, action: Action, calls: Sequence[Call]) -> list[Outcome]:
    """Carry out the action for each call; one transaction for all of them, or two around each call outside.

    :raises Malformed: when a request cannot be read.
    :raises BreakerOpen: when the other side is known to be ill; nothing was tried.
    """
    work = participant.commands[action]
    if isinstance(work, Outside):
        return [outside_handler.act(participant, action, work, call) for call in calls]
    try:
        return transactions.run(participant.service, lambda: _act_all(participant, action, work, calls))
    except Refusal:  # all of it was taken back; now each call in a savepoint, so that only the refused ones are
        isolated = partial(_in_savepoint, participant.service, work)
        return transactions.run(participant.service, lambda: _act_all(participant, action, isolated, calls))


def undo(participant: Participant, compensation: Compensation, calls: Sequence[Call]) -> None:
    """Reverse what each saga's action did; where it did nothing yet, bar it. Doing it again changes nothing.

    A compensation says no by raising: it is then a failure like any other, and the saga comes back.
    """
    work = participant.commands[compensation]
    if isinstance(work, Outside):
        for call in calls:
            outside_handler.undo(participant, compensation, work, call)
    else:
        transactions.run(participant.service, lambda: _undo_all(participant, compensation, work, calls))


def bar(participant: Participant, calls: Sequence[Call]) -> list[bool]:
    """Bar each call's step; say for each whether the bar holds. False: the step was done before.

    :raises StillOpen: when a step's outcome is not known; such a step must not be a pivot.
    """
    return transactions.run(participant.service, lambda: _bar_all(participant, calls))


def _act_all(
    participant: Participant, action: Action, work: Callable[[Any], Any], calls: Sequence[Call]
) -> list[Outcome]:
    ledger, alias = participant.ledger, participant.service
    fresh = rows.claim(ledger, alias, calls, Status.DONE)
    found = rows.look(ledger, alias, {call.saga_id for call in calls} - fresh, action.step)
    by_saga = {call.saga_id: call for call in calls}  # a message that is here twice is one call
    outcomes = {each: outcome_told(work(decode(action.request, by_saga[each].known))) for each in sorted(fresh)}
    if changes := [change_to(by_saga[each], outcome) for each, outcome in outcomes.items() if outcome != Done({})]:
        rows.change(ledger, alias, action.step, changes)
    repeated = {saga_id: outcome_of(row) for saga_id, row in found.items()}
    return [(outcomes | repeated)[call.saga_id] for call in calls]


def _in_savepoint(alias: str, work: Callable[[Any], Any], request: Any) -> Any:
    try:
        with transaction.atomic(using=alias):
            return work(request)
    except Refusal as refusal:
        return refusal


def _undo_all(
    participant: Participant, compensation: Compensation, work: Callable[[Any], Any], calls: Sequence[Call]
) -> None:
    ledger, alias = participant.ledger, participant.service
    barred = rows.claim(ledger, alias, calls, Status.BARRED)
    found = rows.look(ledger, alias, {call.saga_id for call in calls} - barred, compensation.step)
    by_saga = {call.saga_id: call for call in calls}
    done = [call for call in by_saga.values() if call.saga_id in found and found[call.saga_id].status == Status.DONE]
    for call in done:
        work(decode(compensation.request, call.known))
    if done:
        undone = [Change(call.saga_id, call.token, Status.UNDONE) for call in done]
        rows.change(ledger, alias, compensation.step, undone, was=[Status.DONE])


def _bar_all(participant: Participant, calls: Sequence[Call]) -> list[bool]:
    ledger, alias = participant.ledger, participant.service
    barred = rows.claim(ledger, alias, calls, Status.BARRED)
    found = rows.look(ledger, alias, {call.saga_id for call in calls} - barred, calls[0].step)
    if any(row.status == Status.STARTED for row in found.values()):
        raise StillOpen(StillOpen.__doc__)
    return [call.saga_id in barred or found[call.saga_id].status != Status.DONE for call in calls]
