"""Breaks a lock, by two operators: one asks with reason and evidence, and another one approves it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from django.db import IntegrityError, transaction
from django.db.models import Q

from orchestration import signals
from orchestration.db import clocks
from orchestration.engine import engine
from orchestration.models import ALIAS, LockBreak
from orchestration.models.actions import MachineryAction
from orchestration.operators.actions.recorded_action import NotDone, on_record
from orchestration.operators.actions.requests import Actor, MachineryAsk, NotAsked
from orchestration.operators.insight.locks import LockState, locks
from orchestration.participant import lock_break
from orchestration.participant.lock_break import NotHeld
from orchestration.participant.lock_store import Wake
from orchestration.participant.participant import participant_of
from orchestration.protocol.events import LockGranted
from orchestration.text.cleaning import can_be_stored
from orchestration.text.formatting import for_the_record, says_something

logger = logging.getLogger(__name__)


class NoSuchLock(NotDone):
    """No saga holds this lock."""


class NotForThisPerson(NotDone):
    """Breaking a lock needs two people with accounts."""


class NotAskedFor(NotDone):
    """There is no request to break this lock as it is held now."""


@dataclass(frozen=True)
class BrokenLock:
    """A lock that was broken, and the saga that holds it now, if one waited for it."""

    request: LockBreak
    handed_to: Wake | None


def held_lock(resource: str) -> LockState:
    """Return the lock on the resource as it is held now.

    :raises NoSuchLock: when no saga holds it.
    :raises NotDone: when a database does not answer, so that it is not known.
    """
    if not can_be_stored(resource):
        raise NoSuchLock("no lock has such a name")
    found = locks(resource)
    if found.locks:
        return found.locks[0]
    if found.down:
        raise NotDone("; ".join(each.why for each in found.down))
    raise NoSuchLock(f"no saga holds {resource}")


def ask_to_break(resource: str, *, actor: Actor, reason: str, evidence: str) -> LockBreak:
    """Ask to break the lock. A second person must approve it. A second request for the same hold returns the first.

    :raises NoSuchLock: when no saga holds it.
    :raises NotForThisPerson: when the actor has no account: the second person could then be the same one.
    :raises NotAsked: when reason or evidence is missing.
    """
    ask = MachineryAsk(MachineryAction.BREAK_LOCK, actor, reason, resource)
    if not says_something(evidence) or not can_be_stored(evidence):
        raise NotAsked(f"{ask.action} needs evidence")
    if actor.user_id is None:
        raise NotForThisPerson("breaking a lock needs two people with accounts: log in with one")
    lock = held_lock(resource)
    request = LockBreak(
        service=lock.service,
        resource=lock.resource,
        holder=lock.holder,
        fence=lock.fence,
        asked_by=actor.name,
        asked_user_id=actor.user_id,
        via=actor.via.value,
        reason=ask.reason,
        evidence=for_the_record(evidence),
        asked_at=clocks.now(),
    )
    try:
        with transaction.atomic(using=ALIAS):
            request.save(using=ALIAS, force_insert=True)
    except IntegrityError:
        return LockBreak.objects.using(ALIAS).get(_of(lock))
    return request


def asked_for(lock: LockState) -> LockBreak | None:
    """Return the request to break the lock as it is held now, if there is one that waits for a second person."""
    return LockBreak.objects.using(ALIAS).filter(_of(lock), approved_at=None).first()


def all_asked_for(held: Sequence[LockState]) -> list[LockBreak]:
    """Return the requests to break these locks as they are held now, the oldest first."""
    if not held:
        return []
    of_these = reduce(or_, map(_of, held))
    return list(LockBreak.objects.using(ALIAS).filter(of_these, approved_at=None).order_by("asked_at", "pk"))


def approve_break(resource: str, *, actor: Actor) -> BrokenLock:
    """Break the lock, as the second person. Later steps of its holder under the lock are refused.

    The machinery log is written first. A message wakes the saga that gets the lock. If it fails, that saga asks for the
    lock within seconds.

    :raises NoSuchLock: when no saga holds it any more.
    :raises NotAskedFor: when there is no request to break it as it is held now.
    :raises NotForThisPerson: when the actor has no account, or has asked for it.
    :raises NotDone: when it cannot be recorded first.
    :raises NotKnown: when a database failed during the action. Approve it again.
    """
    lock = held_lock(resource)
    request = asked_for(lock)
    if request is None:
        raise NotAskedFor(f"there is no request to break {resource} as it is held now")
    if actor.user_id is None:
        raise NotForThisPerson("the second person needs an account")
    if actor.user_id == request.asked_user_id:
        raise NotForThisPerson(f"{request.asked_by} has asked for it, so another person must approve it")
    wanted = {"asked_by": request.asked_by, "evidence": request.evidence}
    ask = MachineryAsk(MachineryAction.BREAK_LOCK, actor, request.reason, f"{lock.service}/{resource}", wanted)
    before = {"saga_id": str(lock.holder), "step": lock.step, "fence": lock.fence, "since": lock.since.isoformat()}
    wake = on_record(ask, before=before, act=lambda: _break(lock, request, actor), after=_after)
    signals.lock_broken.send_robust(sender=None, resource=resource)
    return BrokenLock(request, wake)


def _break(lock: LockState, request: LockBreak, actor: Actor) -> Wake | None:
    try:
        wake = lock_break.break_lock(participant_of(lock.service), lock.resource, holder=lock.holder)
    except NotHeld as error:
        raise NoSuchLock(str(error)) from error
    request.approved_by, request.approved_user_id, request.approved_at = actor.name, actor.user_id, clocks.now()
    request.save(using=ALIAS, update_fields=["approved_by", "approved_user_id", "approved_at"])
    if wake:
        _tell(wake)
    return wake


def _tell(wake: Wake) -> None:
    """Wake the saga that has the lock now. If that fails, it asks for the lock at its next check."""
    try:
        engine.apply(wake.saga_id, LockGranted(wake.step), now=clocks.now())
    except Exception as error:  # whatever it is, the lock is broken
        logger.warning("saga %s has its lock and could not be woken; it will ask again: %s", wake.saga_id, error)


def _after(wake: Wake | None) -> dict[str, str | None]:
    return {"saga_id": str(wake.saga_id) if wake else None, "step": wake.step if wake else None}


def _of(lock: LockState) -> Q:
    return Q(service=lock.service, resource=lock.resource, fence=lock.fence)
