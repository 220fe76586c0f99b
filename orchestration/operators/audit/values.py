"""What audits and findings are made of: values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True)
class Sighting:
    """A violation as one audit saw it; `ids` says what it is about, by what these are ids of.

    `phase` is that of its saga if that had ended before anything else was read, so that nothing of it is under way.
    """

    invariant: str
    message: str
    ids: Mapping[str, str] = field(default_factory=dict)
    phase: str = ""
    was_settled_outside: bool = False
    """Whether a person has settled a step of its saga outside, so that books may differ with good reason."""

    @property
    def is_settled(self) -> bool:
        """Whether what it is about cannot have been changing while it was read."""
        return bool(self.phase)


@dataclass(frozen=True)
class Gap:
    """A check that could not be made: its invariants, the part that is missing, and why."""

    invariants: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        return f"{', '.join(self.invariants)} {self.why}".strip()

    def as_json(self) -> dict[str, Any]:
        """The gap as a run's row and the command's output hold it."""
        return {"invariants": list(self.invariants), "why": self.why}


def gap_of(written: Any) -> Gap:
    """Read a gap out of a run's row; earlier versions wrote a sentence."""
    return Gap((), written) if isinstance(written, str) else Gap(tuple(written["invariants"]), written["why"])


@dataclass(frozen=True)
class Reach:
    """What an audit could read: invariants not checked at all, and invariants checked against some databases only."""

    not_checked: tuple[str, ...] = ()
    in_part: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        return not (self.not_checked or self.in_part)

    def __str__(self) -> str:
        told = (("not checked", self.not_checked), ("checked in part", self.in_part))
        return "; ".join(f"{how}: {', '.join(which)}" for how, which in told if which)


def reach_of(checked: Mapping[str, int], gaps: Iterable[Gap]) -> Reach:
    """Return what an audit could read, given the number of checks of each invariant and its gaps."""
    concerned = sorted({invariant for gap in gaps for invariant in gap.invariants})
    return Reach(
        tuple(each for each in concerned if not checked.get(each)),
        tuple(each for each in concerned if checked.get(each)),
    )


@dataclass(frozen=True)
class Part:
    """What one portion of an audit came to; memory is bounded because portions are."""

    sightings: Sequence[Sighting] = ()
    checked: Mapping[str, int] = field(default_factory=dict)
    not_made: Sequence[Gap] = ()
    sagas: int = 0
    not_judged: frozenset[UUID] = frozenset()
    """Sagas that may still change, so that what is not seen of them need not be gone."""


@dataclass(frozen=True)
class Portion(Part):
    """Sagas looked at by their ids: `next_id` is the first one that was not; None when there are no more."""

    next_id: UUID | None = None


@dataclass(frozen=True)
class Again:
    """What is to be looked at by name: sagas, and what the outside calls by keys that are none of ours."""

    saga_ids: frozenset[UUID] = frozenset()
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Repair:
    """A saga that would put a finding right: its definition's name, and what it is to be asked with."""

    kind: str
    parameters: Mapping[str, Any]


def first_id_at(moment: datetime) -> UUID:
    """The lowest id that a saga started then can have: ids are UUIDv7, which begin with the milliseconds (RFC 9562)."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


class CannotAudit(Exception):
    """A database did not let itself be read; the message names it."""
