"""Decisions of operators about findings: apply the proposed repair, or accept the finding."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from orchestration.contracts.codec import decode
from orchestration.contracts.orders import card_minor
from orchestration.db import clocks
from orchestration.engine import engine, selectors
from orchestration.models import ALIAS
from orchestration.models.audit import AuditFinding
from orchestration.operators.audit import portions
from orchestration.operators.audit.finding_rows import fingerprint
from orchestration.operators.audit.values import Recheck, Repair
from orchestration.sagas import CUSTOMER, definition_of
from orchestration.text.formatting import for_the_record

STILL_THERE = AuditFinding.Outcome.STILL_THERE


class NoSuchFinding(LookupError):
    """There is no finding of this id."""


class NotApplicable(Exception):
    """Nothing is done about the finding; the message says why."""


@dataclass(frozen=True)
class Justification:
    """Who decides, and why. The finding stores both, each as one line without control characters."""

    by: str
    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", for_the_record(self.by))
        object.__setattr__(self, "reason", for_the_record(self.reason))


@dataclass(frozen=True)
class Applied:
    """The repair's saga. `started` is False if an earlier decision had started it, so that this one changed nothing."""

    finding: AuditFinding
    saga_id: UUID
    started: bool


def proposal(finding_id: int) -> tuple[AuditFinding, Repair]:
    """Return the finding and the repair that `apply` would start now.

    :raises NoSuchFinding: when there is none.
    :raises NotApplicable: when no repair can be applied.
    """
    finding = find(finding_id)
    if finding.gone_at is not None:
        raise NotApplicable("it is gone")
    if finding.opened_at is None:
        raise NotApplicable("it is a suspicion: only one audit has seen it")
    if not finding.repair:
        raise NotApplicable(f"no saga can put it right. {finding.advice}")
    return finding, Repair(finding.repair, finding.repair_parameters)


def preview(finding_id: int) -> tuple[AuditFinding, Repair]:
    """Check the finding again and return the repair that `apply` would start now. Nothing is started.

    :raises NoSuchFinding: when there is none.
    :raises NotApplicable: when no repair can be applied, or the violation no longer exists.
    :raises CannotAudit: when the finding cannot be checked again.
    """
    finding, repair = proposal(finding_id)
    if not _is_applied(finding):
        _look_again(finding)
    return finding, repair


def apply(finding_id: int, justification: Justification, *, now: datetime) -> Applied:
    """Start the saga of the proposed repair, or return the saga that an earlier call started.

    The finding is checked again first. Findings with the same repair share one saga. If an audit still saw the finding
    after its repair had ended, the repair can be applied again.

    :raises NoSuchFinding: when there is none.
    :raises NotApplicable: when no repair can be applied, or the violation no longer exists.
    :raises CannotAudit: when the finding cannot be checked again.
    """
    finding, repair = preview(finding_id)
    request = _request(repair)
    saga_id, started = _claim(finding.pk, justification, now)
    _start(repair, request, saga_id, now)  # also if another process has claimed it, because that one may have died
    return Applied(find(finding_id), saga_id, started)


def accept(finding_id: int, justification: Justification, *, now: datetime) -> AuditFinding:
    """Mark the finding as accepted, so that it raises no alarm any more. If it is accepted already, change nothing.

    :raises NoSuchFinding: when there is none.
    :raises NotApplicable: when the finding is gone.
    """
    if find(finding_id).gone_at is not None:
        raise NotApplicable("it is gone")
    unaccepted = _findings().filter(pk=finding_id, accepted_at=None)
    unaccepted.update(accepted_by=justification.by, accepted_reason=justification.reason, accepted_at=now)
    return find(finding_id)


def find(finding_id: int) -> AuditFinding:
    """Return the finding with this id.

    :raises NoSuchFinding: when there is none.
    """
    finding = _findings().filter(pk=finding_id).first()
    if finding is None:
        raise NoSuchFinding(f"there is no finding {finding_id}")
    return finding


def _findings() -> QuerySet[AuditFinding]:
    return AuditFinding.objects.using(ALIAS)


def _is_applied(finding: AuditFinding) -> bool:
    """Return whether a repair is in progress, or has ended and no audit has checked the finding since."""
    return finding.repair_saga_id is not None and finding.outcome != STILL_THERE


def _look_again(finding: AuditFinding) -> None:
    """Check again whether the violation still exists. Raise nothing for a saga that may still change.

    A repair in progress may be changing it. That repair ends when nothing is left to repair.

    :raises NotApplicable: when the violation no longer exists.
    """
    wanted = finding.saga_id
    part = portions.recheck(Recheck(frozenset({wanted}))) if wanted else portions.totals(at=clocks.now())
    seen = {fingerprint(each) for each in part.sightings}
    if finding.fingerprint not in seen and finding.saga_id not in part.not_judged:
        raise NotApplicable("it is not there any more; the next audit will say so")


def _claim(finding_id: int, justification: Justification, now: datetime) -> tuple[UUID, bool]:
    """Store who applies the repair and the id of its saga. Return (saga id, whether this call chose that id).

    All findings with the same repair are locked, in the order of their ids, so that two operators who apply two of
    them start one saga.
    """
    with transaction.atomic(using=ALIAS):
        wanted = find(finding_id)
        alike = _findings().filter(gone_at=None, repair=wanted.repair, repair_parameters=wanted.repair_parameters)
        rows = {row.pk: row for row in alike.order_by("pk").select_for_update()}
        if (mine := rows.get(finding_id)) is None:
            raise NotApplicable("it is gone, or another repair is proposed now")
        earlier = next((row.repair_saga_id for row in rows.values() if _is_applied(row)), None)
        if _is_applied(mine):
            earlier = mine.repair_saga_id
        else:
            mine.repair_saga_id, mine.outcome = earlier or clocks.new_id(now), ""
            mine.applied_by, mine.applied_reason, mine.applied_at = justification.by, justification.reason, now
            mine.save(using=ALIAS)
        assert mine.repair_saga_id is not None
        return mine.repair_saga_id, earlier is None


def _request(repair: Repair) -> Any:
    """Return the request of the repair's saga.

    :raises NotApplicable: when the saga to be repaired no longer exists.
    """
    return decode(definition_of(repair.kind).request, _known(repair.parameters))


def _start(repair: Repair, request: Any, saga_id: UUID, now: datetime) -> None:
    """Start the repair's saga. Change nothing if it exists, or if another process is starting it."""
    saga = definition_of(repair.kind)
    key = str(saga_id)
    origin = engine.Origin(CUSTOMER, idempotency_key=key, request_hash=repair.kind)
    with suppress(engine.KeyInProgress):
        engine.start_saga(saga, request, saga_id=saga_id, origin=origin, now=now)


def _known(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the repair's parameters, with those fields of the repaired saga's request that its request needs."""
    known = dict(parameters)
    if repaired := known.get("repaired_saga_id"):
        saga = selectors.saga(UUID(repaired))
        if saga is None:
            raise NotApplicable(f"saga {repaired} is not there any more")
        known |= {"repaired_order_id": saga.request["order_id"], "currency": saga.request["currency"]}
        known |= {"total_minor": card_minor(saga.request)}
    return known
