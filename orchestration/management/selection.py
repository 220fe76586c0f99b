"""Which sagas an operator's action is for, looked at again when the turn of each has come."""

from dataclasses import dataclass, replace
from uuid import UUID

from django.core.management.base import CommandError
from django.db.models import QuerySet

from orchestration.db import clocks
from orchestration.management.exit_codes import Exit
from orchestration.management.filter_arguments import SagaFilter, saga_filter_of
from orchestration.management.output import Output
from orchestration.management.subcommand import Options
from orchestration.models import ALIAS, SagaInstance
from orchestration.models.actions import MOVES_MONEY, Action
from orchestration.operators.actions.batches import MEMBERS_LIMIT
from orchestration.operators.insight.saga_filter import Wanted

BY_MANY = (
    "{action} moves money: on one saga at a time here, on many only as a batch that a second person approves "
    "(saga batch start {action} --as ACCOUNT, the admin, or POST /api/v1/saga-batches)"
)
NONE = "no saga matches"


@dataclass(frozen=True)
class Chosen:
    """Sagas in the order they are acted on, the oldest first, and ids that were named and do not exist."""

    ids: list[UUID]
    unknown: list[UUID]
    saga_filter: SagaFilter

    def __len__(self) -> int:
        return len(self.ids) + len(self.unknown)

    def version_of(self, saga_id: UUID) -> int | None:
        """Return the version of the saga if it still meets the filter."""
        wanted = self.saga_filter.condition(now=clocks.now())
        found = SagaInstance.objects.using(ALIAS).filter(wanted, pk=saga_id)
        return found.values_list("version", flat=True).first()


def choose(action: Action, options: Options, output: Output) -> Chosen:
    """Find the sagas that are meant.

    :raises CommandError: when no filter is given, when there is none, or when there are more than the action is for.
    """
    saga_filter = _asked_for(options, output)
    chosen = _chosen(saga_filter, options)
    if not chosen.ids:
        raise CommandError("no such saga" if chosen.unknown else NONE, returncode=Exit.NOTHING_MATCHED)
    if len(chosen) > 1 and action in MOVES_MONEY:
        raise CommandError(BY_MANY.format(action=action), returncode=Exit.REFUSED)
    return chosen


def choose_for_batch(options: Options, output: Output) -> Wanted:
    """Choose the filter that a batch keeps. Of a text it keeps the sagas that it identifies now.

    :raises CommandError: when no filter is given, or the text identifies none.
    """
    saga_filter = _asked_for(options, output)
    for saga_id in _unknown(saga_filter):
        output.note(f"there is no saga {saga_id}")
    if not saga_filter.text:
        return saga_filter.wanted
    found = frozenset(_oldest_first(saga_filter)[: MEMBERS_LIMIT + 1])
    if not found:  # without ids the filter would mean more than was asked for
        raise CommandError(NONE, returncode=Exit.NOTHING_MATCHED)
    return replace(saga_filter.wanted, ids=found)


def _asked_for(options: Options, output: Output) -> SagaFilter:
    saga_filter = saga_filter_of(options).looked_up(output)
    if not saga_filter.asks_for_something:
        raise CommandError("say which sagas: by id, or by a filter", returncode=Exit.USAGE)
    return saga_filter


def _chosen(saga_filter: SagaFilter, options: Options) -> Chosen:
    return Chosen(list(_oldest_first(saga_filter)[: options["limit"]]), _unknown(saga_filter), saga_filter)


def _oldest_first(saga_filter: SagaFilter) -> QuerySet[SagaInstance, UUID]:
    found = SagaInstance.objects.using(ALIAS).filter(saga_filter.condition(now=clocks.now()))
    return found.order_by("created_at", "pk").values_list("pk", flat=True)


def _unknown(saga_filter: SagaFilter) -> list[UUID]:
    named = saga_filter.wanted.ids
    there = SagaInstance.objects.using(ALIAS).filter(pk__in=named).values_list("pk", flat=True)
    return sorted(named - set(there))
