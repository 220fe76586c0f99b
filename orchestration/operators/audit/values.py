"""Values of audits and findings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True)
class Sighting:
    """A violation as one audit saw it. `ids` names its subjects by their kind, such as "saga" or "sku".

    `phase` is the phase of its saga if that had ended before anything else was read, else empty.
    """

    invariant: str
    message: str
    ids: Mapping[str, str] = field(default_factory=dict)
    phase: str = ""
    was_settled_outside: bool = False
    """Whether an operator has settled a step of its saga externally, so that books may differ."""

    @property
    def is_settled(self) -> bool:
        """Whether its subject cannot have been changing while it was read."""
        return bool(self.phase)


@dataclass(frozen=True)
class Gap:
    """A check that could not be made: its invariants, and why."""

    invariants: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        return f"{', '.join(self.invariants)} {self.why}".strip()

    def as_json(self) -> dict[str, Any]:
        """Return the gap as JSON for the run's row and the command's output."""
        return {"invariants": list(self.invariants), "why": self.why}


def gap_of(written: Any) -> Gap:
    """Return the gap that a run's row holds. Earlier versions wrote a sentence."""
    return Gap((), written) if isinstance(written, str) else Gap(tuple(written["invariants"]), written["why"])


@dataclass(frozen=True)
class Reach:
    """The invariants that an audit did not check at all, and those that it checked only in part."""

    not_checked: tuple[str, ...] = ()
    in_part: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        return not (self.not_checked or self.in_part)

    def __str__(self) -> str:
        parts = (("not checked", self.not_checked), ("checked in part", self.in_part))
        return "; ".join(f"{how}: {', '.join(which)}" for how, which in parts if which)


def reach_of(checked: Mapping[str, int], gaps: Iterable[Gap]) -> Reach:
    """Return the reach of an audit, given the number of its checks by invariant, and its gaps."""
    concerned = sorted({invariant for gap in gaps for invariant in gap.invariants})
    return Reach(
        tuple(each for each in concerned if not checked.get(each)),
        tuple(each for each in concerned if checked.get(each)),
    )


@dataclass(frozen=True)
class Part:
    """The result of one part of an audit."""

    sightings: Sequence[Sighting] = ()
    checked: Mapping[str, int] = field(default_factory=dict)
    not_made: Sequence[Gap] = ()
    sagas: int = 0
    not_judged: frozenset[UUID] = frozenset()
    """Sagas that may still change, so that a finding of them that is not seen need not be gone."""


@dataclass(frozen=True)
class Portion(Part):
    """The result for a range of saga ids. `next_id` is the first id after it; None if there are no more."""

    next_id: UUID | None = None


@dataclass(frozen=True)
class Recheck:
    """What is to be checked by name: sagas, and external records under keys that are none of ours."""

    saga_ids: frozenset[UUID] = frozenset()
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Repair:
    """A saga that would repair a finding: its definition's name, and the parameters of its request."""

    kind: str
    parameters: Mapping[str, Any]


def first_id_at(moment: datetime) -> UUID:
    """Return the lowest id of a saga started at `moment`: ids are UUIDv7 and begin with the milliseconds (RFC 9562)."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


class CannotAudit(Exception):
    """A database cannot be read. The message names it."""
