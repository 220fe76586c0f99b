"""Takes a lock away from a saga that has not ended, when an operator decides so. Nothing else ends a lock early."""

from collections.abc import Iterable
from functools import partial
from uuid import UUID

from orchestration.contracts.command import Action
from orchestration.failpoints import Failpoint, FailpointKind
from orchestration.participant.lock_store import HeldLock, LockClaim, Wake
from orchestration.participant.participant import Participant, participants


class NotHeld(LookupError):
    """No such saga holds the lock."""


def break_lock(
    participant: Participant, resource: str, *, holder: UUID, services: Iterable[Participant] | None = None
) -> Wake | None:
    """Take the lock from its holder, and hand it to the first saga that waits. Return that saga, if there is one.

    First raise the guards of all services that act under the lock (`services`, or all of this process), so that steps
    of the old holder are refused before another saga can act. If a service cannot be reached, the lock stays: break it
    again. The steps that the old holder has done stay, too. When it ends, it releases nothing.

    :raises NotHeld: when `holder` does not hold the lock, or not any more.
    """
    failpoint = Failpoint(FailpointKind.LET_GO, "break_lock", [holder])
    fence = participant.rows.transaction(failpoint, lambda: _fence_out(participant, resource, holder))
    for other in participants().values() if services is None else services:
        if _acts_under(other, resource):
            other.rows.transaction(failpoint, partial(other.rows.locks.guard, {resource: fence}))
    return participant.rows.transaction(failpoint, lambda: _hand_on(participant, resource, holder))


def _fence_out(participant: Participant, resource: str, holder: UUID) -> int:
    """Return a fence that is higher than the holder's, and lower than that of any later holder."""
    _locked(participant, resource, holder)
    return participant.rows.locks.next_fence()


def _hand_on(participant: Participant, resource: str, holder: UUID) -> Wake | None:
    held = _locked(participant, resource, holder)
    return participant.rows.locks.hand_over([LockClaim(resource, holder, held.step)]).get(resource)


def _locked(participant: Participant, resource: str, holder: UUID) -> HeldLock:
    participant.rows.locks.lock([resource])
    for held in participant.rows.locks.held(resource):
        if held.saga_id == holder:
            return held
    raise NotHeld(f"saga {holder} does not hold {resource} in {participant.service}")


def _acts_under(participant: Participant, resource: str) -> bool:
    name = resource.partition(":")[0]
    actions = (each for each in participant.commands if isinstance(each, Action))
    return any(action.under is not None and action.under.name == name for action in actions)
