"""Decides what a saga that waits for a lock does next. Pure."""

from dataclasses import replace
from datetime import timedelta

from orchestration.protocol.deadlocks import DEADLOCK
from orchestration.protocol.events import Contradiction, DeadlockFound, Event, LockGranted, StepFailed, StepWaits
from orchestration.protocol.interventions import refuse_if_too_late
from orchestration.protocol.next_command import add_done, forward, give_up, send
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Decision, Entry, Kind, LockWait, Phase, State

ASK_AGAIN_WITHIN = timedelta(seconds=15)
"""A waiting saga asks for its lock again within this time, with full jitter: the message of the grant may be lost."""


def queued(saga: Saga, state: State, event: StepWaits, jitter: float) -> Decision | None:
    """Record that the step waits for a lock, and ask again later, at the latest when its patience is over.

    A wait is neither a failure nor an attempt. An old report is ignored: it could replace the wait of a newer one.

    :raises Contradiction: when the step takes no lock.
    """
    if state.phase is not Phase.RUNNING or event.token != state.token or not state.in_flight:
        return None
    lock = saga.by_name[event.step].action.holds
    if lock is None:
        raise Contradiction(f"{event.step} waits for {event.resource} although it takes no lock")
    known, entries = add_done(state, event.done)
    if known.wait is None or (known.wait.step, known.wait.holder) != (event.step, event.holder):
        detail = {"resource": event.resource, "holder": str(event.holder), "before": event.before}
        entries += (Entry(Kind.QUEUED, event.step, detail),)
    waiting = replace(
        known,
        in_flight=False,
        failures={step: tries for step, tries in known.failures.items() if step != event.step},
        wait=LockWait(event.step, event.resource, event.holder, event.since),
    )
    return Decision(waiting, entries, due=ASK_AGAIN_WITHIN * jitter, latest=event.since + lock.patience)


def granted(saga: Saga, state: State, event: LockGranted) -> Decision | None:
    """Send the step that has waited, because its lock was handed over.

    Do nothing while the saga is asking for the lock: the answer will say that it holds it.
    """
    if state.wait is None or state.wait.step != event.step or state.in_flight or state.paused:
        return None
    return send(state, forward(saga, state))


def deadlocked(state: State, event: DeadlockFound) -> Decision | None:
    """Give the saga up, so that the others of the deadlock get its locks.

    Do nothing if it is paused: no compensation would be sent, so it would keep its locks.

    :raises TooLate: when the pivot is done.
    """
    refuse_if_too_late(state)
    if state.phase is not Phase.RUNNING or state.wait is None or state.paused:
        return None
    cycle = [str(saga_id) for saga_id in event.cycle]
    named = {"resources": list(event.resources), "definitions": list(event.definitions)}
    said = {"cycle": cycle, **named, "reason": event.reason}
    return give_up(state, code=DEADLOCK, detail="Please try again.", **said)


def without_old_wait(decision: Decision, event: Event) -> Decision:
    """Return the decision without a wait that the event has ended.

    It ends when a step fails, its own or a later one, or when the saga leaves the phase in which it may wait. If the
    row still named a holder then, the search could find a deadlock that does not exist.
    """
    waits = decision.state.phase is Phase.RUNNING and not isinstance(event, StepFailed)
    return decision if waits else replace(decision, state=replace(decision.state, wait=None))
