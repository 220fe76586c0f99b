"""Selects the sagas of an audit, by a range of ids or by a list, and the rows that name them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from orchestration.participant.external import key_of
from orchestration.sagas import definitions


@dataclass(frozen=True)
class Between:
    """Sagas whose ids are from `low` to below `high`; None is no bound. Keys begin with ids, so both sort alike."""

    low: UUID | None = None
    high: UUID | None = None

    @property
    def is_everything(self) -> bool:
        return self.low is None and self.high is None

    def sagas(self, column: str = "saga_id") -> Q:
        """Return the condition for rows whose column holds the id of one of these sagas."""
        return self._rows(column, self.low, self.high)

    def keys(self, column: str = "key") -> Q:
        """Return the condition for rows whose column holds a key of these sagas, or one that sorts between them."""
        return self._rows(column, self.low and str(self.low), self.high and str(self.high))

    def _rows(self, column: str, low: object, high: object) -> Q:
        found = Q()
        if low is not None:
            found &= Q(**{f"{column}__gte": low})
        if high is not None:
            found &= Q(**{f"{column}__lt": high})
        return found


@dataclass(frozen=True)
class Those:
    """These sagas, and the keys at the external system that are not ours."""

    saga_ids: frozenset[UUID]
    other_keys: frozenset[str] = frozenset()

    is_everything = False

    def sagas(self, column: str = "saga_id") -> Q:
        """Return the condition for rows whose column holds the id of one of these sagas."""
        return Q(**{f"{column}__in": self.saga_ids})

    def keys(self, column: str = "key") -> Q:
        """Return the condition for rows whose column holds the key of an action of these sagas, or another key."""
        actions = {step.name: step.action for saga in definitions.values() for step in saga.steps}.values()
        ours = {key_of(saga_id, action) for saga_id in self.saga_ids for action in actions}
        return Q(**{f"{column}__in": ours | self.other_keys})


Selection = Between | Those
EVERYTHING = Between()


def of_no_saga(left_out: Sequence[Selection], *columns: str) -> Q:
    """Return the condition for rows of which none of these columns holds the id of a saga that is `left_out`."""
    counted = Q()
    for selection in left_out:
        for column in columns:
            counted &= ~selection.sagas(column)
    return counted
