"""The sagas that an operator's action is for. Each is checked again when it is its turn."""

from dataclasses import dataclass, replace
from uuid import UUID

from django.core.management.base import CommandError
from django.db.models import QuerySet

from orchestration.db import clocks
from orchestration.management.exit_codes import Exit
from orchestration.management.filter_arguments import SagaSelection, selection_of
from orchestration.management.output import Output
from orchestration.management.subcommand import Options
from orchestration.models import ALIAS, SagaInstance
from orchestration.models.actions import MOVES_MONEY, OperatorAction
from orchestration.operators.actions.batches import MEMBERS_LIMIT
from orchestration.operators.insight.saga_filter import SagaFilter

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
    selection: SagaSelection

    def __len__(self) -> int:
        return len(self.ids) + len(self.unknown)

    def version_of(self, saga_id: UUID) -> int | None:
        """Return the version of the saga if it still meets the filter."""
        wanted = self.selection.condition(now=clocks.now())
        found = SagaInstance.objects.using(ALIAS).filter(wanted, pk=saga_id)
        return found.values_list("version", flat=True).first()


def choose(action: OperatorAction, options: Options, output: Output) -> Chosen:
    """Return the sagas that the options select.

    :raises CommandError: when no filter is given, when there is none, or when there are more than the action is for.
    """
    selection = _asked_for(options, output)
    chosen = _chosen(selection, options)
    if not chosen.ids:
        raise CommandError("no such saga" if chosen.unknown else NONE, returncode=Exit.NOTHING_MATCHED)
    if len(chosen) > 1 and action in MOVES_MONEY:
        raise CommandError(BY_MANY.format(action=action), returncode=Exit.REFUSED)
    return chosen


def choose_for_batch(options: Options, output: Output) -> SagaFilter:
    """Return the filter for a batch. A search text is replaced by the sagas that it identifies now.

    :raises CommandError: when no filter is given, or the text identifies none.
    """
    selection = _asked_for(options, output)
    for saga_id in _unknown(selection):
        output.note(f"there is no saga {saga_id}")
    if not selection.text:
        return selection.wanted
    found = frozenset(_oldest_first(selection)[: MEMBERS_LIMIT + 1])
    if not found:  # without ids the filter would match more sagas than the text
        raise CommandError(NONE, returncode=Exit.NOTHING_MATCHED)
    return replace(selection.wanted, ids=found)


def _asked_for(options: Options, output: Output) -> SagaSelection:
    selection = selection_of(options).looked_up(output)
    if not selection.asks_for_something:
        raise CommandError("say which sagas: by id, or by a filter", returncode=Exit.USAGE)
    return selection


def _chosen(selection: SagaSelection, options: Options) -> Chosen:
    return Chosen(list(_oldest_first(selection)[: options["limit"]]), _unknown(selection), selection)


def _oldest_first(selection: SagaSelection) -> QuerySet[SagaInstance, UUID]:
    found = SagaInstance.objects.using(ALIAS).filter(selection.condition(now=clocks.now()))
    return found.order_by("created_at", "pk").values_list("pk", flat=True)


def _unknown(selection: SagaSelection) -> list[UUID]:
    named = selection.wanted.ids
    there = SagaInstance.objects.using(ALIAS).filter(pk__in=named).values_list("pk", flat=True)
    return sorted(named - set(there))
