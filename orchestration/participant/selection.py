"""Which sagas an audit looks at: a range of ids, or some by name, and with them whatever names them."""

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from orchestration.participant.external import key_of
from orchestration.sagas import definitions


@dataclass(frozen=True)
class Between:
    """Ids from `low` on and below `high`; None is without bound. Keys begin with ids, so they have the same order."""

    low: UUID | None = None
    high: UUID | None = None

    @property
    def is_everything(self) -> bool:
        return self.low is None and self.high is None

    def sagas(self, column: str = "saga_id") -> Q:
        """Rows whose column holds one of these sagas' ids."""
        return self._rows(column, self.low, self.high)

    def keys(self, column: str = "key") -> Q:
        """Rows whose column holds a key of one of these sagas, or one that is not ours and falls in between."""
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
    """These sagas, and what the outside calls by these keys that are not ours."""

    saga_ids: frozenset[UUID]
    other_keys: frozenset[str] = frozenset()

    is_everything = False

    def sagas(self, column: str = "saga_id") -> Q:
        """Rows whose column holds one of these sagas' ids."""
        return Q(**{f"{column}__in": self.saga_ids})

    def keys(self, column: str = "key") -> Q:
        """Rows whose column holds the key of an action of one of these sagas, or one of the others."""
        actions = {step.name: step.action for saga in definitions.values() for step in saga.steps}.values()
        ours = {key_of(saga_id, action) for saga_id in self.saga_ids for action in actions}
        return Q(**{f"{column}__in": ours | self.other_keys})


Selection = Between | Those
EVERYTHING = Between()
