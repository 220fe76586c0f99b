"""Decides what an intervention of the customer or an operator does to a saga. Pure."""

from dataclasses import replace
from datetime import timedelta

from orchestration.protocol.deadlocks import DEADLOCK
from orchestration.protocol.events import (
    CancelRequested,
    CompensationRequested,
    Intervention,
    Paused,
    Resumed,
    Retried,
    StepSettled,
    Unpaused,
)
from orchestration.protocol.next_command import (
    compensated,
    completed,
    forward,
    give_up,
    pending_command,
    pending_compensations,
    retry_wait,
    send,
)
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import ENDED, Decision, Entry, Kind, Phase, State

CANCELLED = {"code": "cancelled", "detail": "It was cancelled."}
"""The failure of a cancelled saga."""


class TooLate(Exception):
    """The order is placed: there is no way back."""


def intervene(saga: Saga, state: State, event: Intervention, jitter: float) -> Decision | None:
    """Decide what the intervention changes. Return None when it changes nothing.

    :raises TooLate: when the intervention would undo the saga after its pivot.
    """
    match event:
        case CancelRequested():
            return _cancelled(state, event)
        case CompensationRequested():
            return _to_be_compensated(saga, state, event)
        case Resumed():
            return _resumed(saga, state, event)
        case Retried():
            return _retried(saga, state, event)
        case Paused():
            return _paused(state, event)
        case Unpaused():
            return _unpaused(saga, state, event)
        case StepSettled():
            return _settled(saga, state, event, jitter)


def refuse_if_too_late(state: State) -> None:
    """Refuse to undo a saga after its pivot.

    :raises TooLate: when the pivot is done.
    """
    if state.phase in (Phase.FINISHING, Phase.COMPLETED):
        raise TooLate(TooLate.__doc__)


def _cancelled(state: State, event: CancelRequested) -> Decision | None:
    refuse_if_too_late(state)
    said = {"by": event.by, "reason": event.reason} if event.by else {}
    if state.phase is Phase.RUNNING:
        return give_up(state, **CANCELLED, **said)
    if state.phase in ENDED or (state.failure or {}).get("code") != DEADLOCK:
        return None
    failure = {**(state.failure or {}), **CANCELLED}  # so that the work is not tried again
    return Decision(replace(state, failure=failure), (Entry(Kind.CANCELLED, detail=said),))


def _to_be_compensated(saga: Saga, state: State, event: CompensationRequested) -> Decision | None:
    refuse_if_too_late(state)
    if state.phase is Phase.RUNNING:
        return give_up(state, code="given_up", detail="It was given up.", by=event.by, reason=event.reason)
    return _resumed(saga, state, Resumed(event.by, event.reason))


def _resumed(saga: Saga, state: State, event: Resumed) -> Decision | None:
    """Send the pending steps, parked ones included."""
    fresh = replace(state, parked=frozenset(), backing_off=frozenset(), failures={})
    return _send_pending(saga, fresh, Kind.RESUMED, event)


def _retried(saga: Saga, state: State, event: Retried) -> Decision | None:
    """Send the pending steps that are not parked. Their waits end."""
    return _send_pending(saga, replace(state, backing_off=frozenset()), Kind.RETRIED, event)


def _send_pending(saga: Saga, state: State, kind: Kind, event: Resumed | Retried) -> Decision | None:
    command = None if state.paused else pending_command(saga, state)
    return None if command is None else send(state, command, (_entry(kind, event),))


def _paused(state: State, event: Paused) -> Decision | None:
    if state.paused or state.phase in ENDED:
        return None
    return Decision(replace(state, paused=True), (_entry(Kind.PAUSED, event),))


def _unpaused(saga: Saga, state: State, event: Unpaused) -> Decision | None:
    """End the pause and make the saga due now. Recovery then checks the deadline, pending steps and lost messages."""
    if not state.paused:
        return None
    state = replace(state, paused=False)
    is_pending = state.in_flight or pending_command(saga, replace(state, backing_off=frozenset())) is not None
    return Decision(state, (_entry(Kind.UNPAUSED, event),), due=timedelta(0) if is_pending else None)


def _settled(saga: Saga, state: State, event: StepSettled, jitter: float) -> Decision | None:
    detail = {"by": event.by, "reason": event.reason, "evidence": event.evidence}
    entries = (Entry(Kind.SETTLED, event.step, detail),)
    others = replace(state, parked=state.parked - {event.step}, backing_off=state.backing_off - {event.step})
    if state.phase is Phase.COMPENSATING and event.step in pending_compensations(saga, state):
        return _undone_externally(saga, replace(others, undone=state.undone | {event.step}), entries, jitter)
    retriable = saga.position_of(event.step) > saga.pivot_position
    if state.phase is Phase.FINISHING and retriable and event.step not in state.done | state.skipped:
        settled = replace(others, done=state.done | {event.step}, settled=state.settled | {event.step})
        return _done_externally(saga, settled, entries)
    return None


def _undone_externally(saga: Saga, state: State, entries: tuple[Entry, ...], jitter: float) -> Decision:
    if not pending_compensations(saga, state):
        return compensated(state, entries)
    return Decision(state, entries, due=retry_wait(saga, state, jitter))


def _done_externally(saga: Saga, state: State, entries: tuple[Entry, ...]) -> Decision:
    rest = forward(saga, state)
    if rest.position == len(saga.steps):
        return completed(state, entries)
    return Decision(state, entries) if state.parked else send(state, rest, entries)


def _entry(kind: Kind, event: Resumed | Retried | Paused | Unpaused) -> Entry:
    return Entry(kind, detail={"by": event.by, "reason": event.reason})
