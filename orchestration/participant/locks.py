"""Takes the locks of a batch of calls, releases them, and checks fencing tokens. All in the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from orchestration.contracts.codec import Malformed
from orchestration.contracts.command import Lock
from orchestration.participant.ledger_store import Call
from orchestration.participant.lock_store import HeldLock, LockClaim, Locks, QueuedTurn, Wake
from orchestration.participant.lock_tables import LONGEST_RESOURCE
from orchestration.participant.outcomes import Queued, Refused
from orchestration.participant.refusals import PermanentFailure, Refusal


class ResourceBusy(Refusal):
    """Another operation on this is under way. Please try again later."""

    code = "resource_busy"


class StaleFence(PermanentFailure):
    """The saga does not hold the lock any more: an operator broke it, and a later holder may have acted."""


@dataclass(frozen=True)
class Taken:
    """The result of `take`: the fencing tokens of the sagas that hold their lock, and the outcomes of the others."""

    fences: Mapping[UUID, int]
    stopped: Mapping[UUID, Queued | Refused]


def resource_of(lock: Lock, call: Call) -> str:
    """Return the resource that the call is about, such as "order:0198…".

    :raises Malformed: when its field is missing, empty, too long or has characters that cannot be printed.
    """
    value = call.known.get(lock.by)
    resource = f"{lock.name}:{value}"
    if value is None or value == "":
        raise Malformed(f"{lock.by}: the lock {lock.name} needs a value")
    if len(resource) > LONGEST_RESOURCE or not resource.isprintable():
        raise Malformed(f"{lock.by}: {value!r:.{LONGEST_RESOURCE}} is too long for a lock, or cannot be printed")
    return resource


def take(locks: Locks, lock: Lock, calls: Sequence[Call]) -> Taken:
    """Take the lock for each call, or queue the call. First come, first served: the calls are in order of arrival.

    A call whose patience is over is refused and loses its turn, unless the lock was handed over to it meanwhile.
    """
    claims = {call.saga_id: _claim(lock, call) for call in calls}
    first = {claim.resource: claim for claim in reversed(claims.values())}
    holds = locks.hold(list(first.values())) if first else {}
    others = [claim for claim in claims.values() if holds[claim.resource].saga_id != claim.saga_id]
    turns = locks.queue(others) if others and lock.patience else {}
    stopped = {each.saga_id: _stopped(lock, holds[each.resource], turns.get(each.saga_id)) for each in others}
    if over := [each for each in others if each.saga_id in turns and isinstance(stopped[each.saga_id], Refused)]:
        locks.leave(over)
    fences = {saga_id: holds[each.resource].fence for saga_id, each in claims.items() if saga_id not in stopped}
    return Taken(fences, stopped)


def lock_holds(locks: Locks, lock: Lock, calls: Sequence[Call]) -> None:
    """Lock the rows of the holds of the calls' resources. Do it before `let_go`, and before the service's own rows."""
    if calls:
        locks.lock({resource_of(lock, call) for call in calls})


def let_go(locks: Locks, lock: Lock, calls: Sequence[Call]) -> dict[UUID, tuple[Wake, ...]]:
    """Release what each call's saga holds, or end its turn. Return, by saga, which saga holds the lock now, if any.

    `lock_holds` comes first. A lock that the saga does not hold any more, because an operator broke it, stays.
    """
    claims = [_claim(lock, call) for call in calls]
    wakes = locks.hand_over(claims) if claims else {}
    return {each.saga_id: (wakes[each.resource],) for each in claims if each.resource in wakes}


def check_fences(locks: Locks, lock: Lock, calls: Sequence[Call]) -> None:
    """Check that no later holder of the lock has acted in this service, and let no earlier one act from now on.

    :raises StaleFence: when a later holder has acted, or an operator broke the lock.
    """
    used = [(resource_of(lock, call), _fence(lock, call)) for call in calls]
    highest: dict[str, int] = {}
    for resource, fence in used:
        highest[resource] = max(fence, highest.get(resource, fence))
    guarded = locks.guard(highest) if highest else {}
    for resource, fence in used:
        if guarded.get(resource) != fence:
            raise StaleFence(f"{resource}: {StaleFence.__doc__}")


def _claim(lock: Lock, call: Call) -> LockClaim:
    return LockClaim(resource_of(lock, call), call.saga_id, call.step)


def _stopped(lock: Lock, hold: HeldLock, turn: QueuedTurn | None) -> Queued | Refused:
    if turn is None or turn.waited >= lock.patience:
        waited = turn.waited.total_seconds() if turn else 0
        return Refused(ResourceBusy(resource=lock.name, waited_s=round(waited, 1)).as_json())
    return Queued(hold.resource, hold.saga_id, turn.before, turn.since)


def _fence(lock: Lock, call: Call) -> int:
    fence = call.known.get(lock.fence_field)
    if not isinstance(fence, int):
        raise Malformed(f"{lock.fence_field}: {fence!r} is no fencing token")
    return fence
