"""Batches (one action on many sagas): preview, request, approval, stop and tally. `batch_loop` carries them out."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet

from orchestration.db import clocks
from orchestration.engine.row_mapping import state_of
from orchestration.models import ALIAS, Batch, BatchMember, SagaInstance
from orchestration.models.actions import MOVES_MONEY, Code, OperatorAction, Via
from orchestration.models.operators import BatchState
from orchestration.operators.actions import batch_keys
from orchestration.operators.actions.batch_keys import NotABatch
from orchestration.operators.actions.batch_pacing import Pace, Tally
from orchestration.operators.actions.ledger_actions import why_not_resolved
from orchestration.operators.actions.outcome import FAILURES
from orchestration.operators.actions.preview import preview
from orchestration.operators.actions.requests import Actor, Ask, Preview
from orchestration.operators.actions.rules import foreseen, is_refused
from orchestration.operators.insight.keyset import ByMoment
from orchestration.operators.insight.saga_filter import SagaFilter, matching
from orchestration.participant.manual_outcome import ReportedOutcome
from orchestration.participant.participant import participants
from orchestration.sagas import UnknownDefinition, definition_of
from orchestration.text import formatting

MEMBERS_LIMIT = 10_000
"""The most sagas in one batch. For more, narrow the filter or create several batches."""
EXAMPLES = 5
USUAL_PACE = Pace()
NEWEST_FIRST = ByMoment("asked_at")
"""The order in which batches are listed."""

FAILED_CODES = frozenset({Code.NOT_RESOLVED, Code.NO_SUCH_ROW, Code.NO_SUCH_STEP, Code.UNKNOWN_DEFINITION})
"""Codes that count as failures. Other refusals concern sagas that do not need the action any more."""
UNDER_WAY = (BatchState.APPROVED, BatchState.RUNNING)
OPEN = (BatchState.ASKED, *UNDER_WAY)
_COUNTED = [each.name for each in fields(Tally)]
_OBSERVED_FAILED = [each.value for each in FAILURES]
_FAILED_AT_ONCE = Q(entry__code__in=[each.value for each in FAILED_CODES])
_FAILED = Q(state=BatchMember.State.GIVEN_UP) | Q(state=BatchMember.State.DONE) & (
    _FAILED_AT_ONCE | Q(entry__code=Code.TAKEN, entry__observed__in=_OBSERVED_FAILED)
)


class NoneChosen(NotABatch):
    """No saga meets the filter."""


class OtherSagas(NotABatch):
    """The filter now matches other sagas than in the preview."""


class NotApproved(Exception):
    """The batch stays as it is; the message says why."""


@dataclass(frozen=True)
class BatchPreview:
    """What a batch would do: how many sagas are `chosen`, for how many it is `possible`, and `why_not` for the others.

    Reasons that need the facts of gateway or carrier show in the `examples` only, which are full previews of the first
    sagas. `money` is what is on hold and captured for the possible sagas, by currency. `fingerprint` identifies the set
    of chosen sagas.
    """

    chosen: int
    fingerprint: str
    is_too_many: bool
    possible: int
    why_not: Mapping[str, int]
    money: tuple[str, ...]
    examples: tuple[Preview, ...]
    needs_second_person: bool


def preview_batch(wanted: SagaFilter, ask: Ask) -> BatchPreview:
    """Preview the action on the sagas that meet the filter now. Ledgers are read for the examples only."""
    found = list(_chosen(wanted)[: MEMBERS_LIMIT + 1])
    sagas = found[:MEMBERS_LIMIT]
    why_not = _why_not(sagas, ask)
    chosen = [UUID(str(instance.pk)) for instance in sagas]
    possible = [saga_id for saga_id in chosen if saga_id not in why_not]
    return BatchPreview(
        chosen=len(sagas),
        fingerprint=_fingerprint(chosen),
        is_too_many=len(found) > MEMBERS_LIMIT,
        possible=len(possible),
        why_not=Counter(why_not.values()),
        money=tuple(_money_of(possible)),
        examples=tuple(preview(saga_id, ask) for saga_id in possible[:EXAMPLES]),
        needs_second_person=ask.action in MOVES_MONEY,
    )


def ask_for_batch(
    wanted: SagaFilter, ask: Ask, pace: Pace = USUAL_PACE, *, looked_at: str | None = None, key: str | None = None
) -> Batch:
    """Create a batch that does the action to each saga that meets the filter now, the oldest first.

    A batch that moves money waits for the approval of a second person; any other batch begins at once. With `looked_at`
    (the `fingerprint` of a preview), the sagas must still be the same. With `key` (the operator's idempotency key), the
    same request sent again returns the batch that it created first.

    :raises NoneChosen: when no saga meets the filter.
    :raises OtherSagas: when the filter now matches other sagas than `looked_at`.
    :raises BatchKeyReused: when the key was used for another request before.
    :raises NotABatch: when more than `MEMBERS_LIMIT` sagas meet the filter; when the action moves money and the
        operator has no account, because the second person could then be the same one.
    """
    if ask.action in MOVES_MONEY and ask.actor.user_id is None:
        raise NotABatch(f"{ask.action} moves money: a batch of it needs two people with accounts, log in with one")
    batch = _batch_of(wanted, ask, pace, key)
    if made := batch_keys.made_before(batch):
        return made
    chosen = list(_chosen(wanted).values_list("pk", flat=True)[: MEMBERS_LIMIT + 1])
    if not chosen:
        raise NoneChosen(f"no saga is {wanted.in_words()}")
    if len(chosen) > MEMBERS_LIMIT:
        raise NotABatch(f"more than {MEMBERS_LIMIT} sagas are {wanted.in_words()}: ask for fewer")
    if looked_at not in (None, _fingerprint(chosen)):
        raise OtherSagas("other sagas match by now, look again")
    batch.members_chosen = len(chosen)
    members = [BatchMember(batch=batch, position=place, saga_id=saga_id) for place, saga_id in enumerate(chosen)]
    return batch_keys.make_once(batch, members)


def approve(batch: Batch, actor: Actor) -> Batch:
    """Record the approval of a second person. The caller checks their permission (`permissions.may_approve`).

    :raises NotApproved: when the actor has no account or requested the batch, or when the batch waits for no approval.
    """
    if actor.user_id is None:
        raise NotApproved("the second person needs an account")
    if actor.user_id == batch.user_id:
        raise NotApproved(f"{batch.by} asked for it, so another person must approve it")
    now = clocks.now()
    approval = {"approved_by": actor.name, "approved_user_id": actor.user_id, "approved_at": now, "next_at": now}
    if not _row(batch, BatchState.ASKED).update(state=BatchState.APPROVED, **approval):
        raise NotApproved(f"it is {_now(batch).state}, and does not wait for approval")
    return _now(batch)


def stop(batch: Batch, actor: Actor, why: str = "") -> Batch:
    """Stop the batch: no further member is begun, and what is done stays done. A second call changes nothing."""
    stopped = {
        "stopped_by": actor.name,
        "stopped_why": formatting.for_the_record(why) or "Stopped by an operator.",
        "ended_at": clocks.now(),
    }
    _row(batch, *OPEN).update(state=BatchState.STOPPED, **stopped)
    return _now(batch)


def tally_of(batch: Batch) -> Tally:
    """Count the outcomes of the batch's members."""
    return tallies_of([batch])[batch.pk]


def tallies_of(batches: Collection[Batch]) -> dict[UUID, Tally]:
    """Count the outcomes of the members of each batch, in one query."""
    done = Q(state=BatchMember.State.DONE)
    to_do = Q(state__in=(BatchMember.State.WAITING, BatchMember.State.TAKEN_UP))
    taken = Q(entry__code=Code.TAKEN)
    is_open = done & taken & Q(entry__observed="")
    worked = done & taken & ~Q(entry__observed="") & ~Q(entry__observed__in=_OBSERVED_FAILED)
    members = BatchMember.objects.using(ALIAS).filter(batch__in=batches)
    counts: Any = members.values("batch_id").annotate(
        to_do=Count("pk", filter=to_do),
        passed_over=Count("pk", filter=Q(state=BatchMember.State.PASSED_OVER)),
        refused=Count("pk", filter=done & ~taken & ~_FAILED_AT_ONCE),
        under_way=Count("pk", filter=is_open),
        worked=Count("pk", filter=worked),
        failed=Count("pk", filter=_FAILED),
        canary_open=Count("pk", filter=Q(position__lt=F("batch__canary")) & (to_do | is_open)),
    )
    found = {each["batch_id"]: {name: each[name] for name in _COUNTED} for each in counts.order_by()}
    return {UUID(str(batch.pk)): Tally(**found.get(batch.pk, {})) for batch in batches}


def failures_of(batch: Batch) -> QuerySet[BatchMember]:
    """Return the failed members with their log entries, also those that raised and will be retried, in order."""
    raised = Q(state=BatchMember.State.TAKEN_UP) & ~Q(detail="")
    found = members_of(batch).filter(_FAILED | raised)
    return found.select_related("entry").order_by("position")


def members_of(batch: Batch) -> QuerySet[BatchMember]:
    """Return all members of the batch."""
    return BatchMember.objects.using(ALIAS).filter(batch_id=batch.pk)


def still_wanted(batch: Batch) -> SagaFilter:
    """Return a filter that matches the batch's members that still meet the batch's own filter."""
    members = frozenset(members_of(batch).values_list("saga_id", flat=True))
    return replace(SagaFilter.from_json(batch.wanted), ids=members)


def pace_of(batch: Batch) -> Pace:
    """Return the pace of the batch."""
    return Pace(batch.canary, batch.per_second, batch.stop_above_percent)


def ask_of(batch: Batch) -> Ask:
    """Return the action that the batch does to each of its members, as a request."""
    statement, actor = batch.statement, Actor(batch.by, batch.user_id, Via(batch.via))
    outcome, facts = (ReportedOutcome(statement["outcome"]), statement["facts"]) if statement else (None, {})
    return Ask(OperatorAction(batch.action), actor, batch.reason, batch.step, outcome, facts, batch.evidence)


def _chosen(wanted: SagaFilter) -> QuerySet[SagaInstance]:
    return matching(wanted, now=clocks.now()).order_by("created_at", "pk")


def _fingerprint(saga_ids: Iterable[UUID]) -> str:
    return sha256(b"".join(sorted(saga_id.bytes for saga_id in saga_ids))).hexdigest()


def _batch_of(wanted: SagaFilter, ask: Ask, pace: Pace, key: str | None) -> Batch:
    waits = ask.action in MOVES_MONEY
    return Batch(
        action=ask.action.value,
        wanted=wanted.as_json(),
        wanted_in_words=wanted.in_words(),
        step=ask.step,
        statement=ask.statement,
        reason=ask.reason,
        evidence=ask.evidence,
        by=ask.actor.name,
        user_id=ask.actor.user_id,
        via=ask.actor.via.value,
        state=BatchState.ASKED if waits else BatchState.APPROVED,
        next_at=None if waits else clocks.now(),
        canary=pace.canary,
        per_second=pace.per_second,
        stop_above_percent=pace.stop_above_percent,
        idempotency_key=key,
    )


def _why_not(instances: Iterable[SagaInstance], ask: Ask) -> dict[UUID, str]:
    """Return by saga why the action is not possible. Sagas for which it is possible are missing."""
    why_not: dict[UUID, str] = {}
    to_resolve = defaultdict[str, list[UUID]](list)
    for instance in instances:
        saga_id = UUID(str(instance.pk))
        try:
            judged = foreseen(definition_of(instance.definition), state_of(instance), ask)
        except UnknownDefinition as error:
            why_not[saga_id] = str(error)
            continue
        if is_refused(judged, ask):
            why_not[saga_id] = judged.sentence
        elif ask.action is OperatorAction.RESOLVE:
            to_resolve[instance.definition].append(saga_id)
    for name, saga_ids in to_resolve.items():
        why_not |= why_not_resolved(definition_of(name), ask, saga_ids)
    return why_not


def _money_of(saga_ids: list[UUID]) -> Iterable[str]:
    held, captured = Counter[str](), Counter[str]()
    for participant in participants().values():
        if participant.money is not None:
            for money in participant.money.of_sagas(saga_ids).values():
                held[money.currency] += money.held_minor
                captured[money.currency] += money.kept_minor
    for currency in sorted(held.keys() | captured.keys()):
        on_hold, kept = formatting.money(held[currency], currency), formatting.money(captured[currency], currency)
        yield f"{on_hold} on hold, {kept} captured and not refunded."


def _row(batch: Batch, *states: BatchState) -> QuerySet[Batch]:
    return Batch.objects.using(ALIAS).filter(pk=batch.pk, state__in=states)


def _now(batch: Batch) -> Batch:
    return Batch.objects.using(ALIAS).get(pk=batch.pk)
