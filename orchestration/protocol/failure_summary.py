"""What goes wrong with a saga at the moment, kept in its row, so that nobody reads logs to list sagas. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orchestration.protocol.states import Entry, Kind, State

BROKER = "broker"
"""Stands for the step's name where the broker did not take the message."""

_TRIED = frozenset({Kind.FAILED, Kind.WAITING})
_BEHIND = frozenset({Kind.DONE, Kind.UNDONE, Kind.SETTLED})
_ANEW = frozenset(
    {Kind.REFUSED, Kind.GAVE_UP, Kind.PIVOT_BARRED, Kind.PIVOT_DONE, Kind.RESUMED, Kind.COMPLETED, Kind.COMPENSATED}
)
"""After these nothing is failing until it fails again."""


@dataclass(frozen=True)
class Trouble:
    """`errors` has what the last try of each failing step ended with: a class, else a code; that a breaker is open is
    no news beside the error that opened it.

    `waiting` are the steps for which waiting is no attempt: a breaker is open, or (`BROKER`) the broker is away.
    `last` is the newest error, else why the saga was refused or given up; it stays when nothing is failing any more.
    """

    errors: Mapping[str, str] = field(default_factory=dict)
    waiting: frozenset[str] = frozenset()
    last: str = ""

    def after(self, entries: Iterable[Entry], state: State) -> "Trouble":
        """What is wrong when this has been decided: the saga log's new entries, and the state."""
        trouble = self
        for entry in entries:
            trouble = trouble._after(entry, state.backing_off)
        return trouble

    def without_broker(self) -> "Trouble":
        """The broker did not take what was to be sent."""
        return replace(self, waiting=self.waiting | {BROKER})

    def columns(self, state: State) -> dict[str, Any]:
        """The row's columns that say so, for lists and filters: of several failing steps the parked come first."""
        step = min(self.errors, key=lambda name: (name not in state.parked, name), default="")
        return {
            "failing_step": step,
            "failed_tries": state.failures.get(step, 0),
            "last_error": self.errors.get(step, self.last),
            "waits": bool(self.waiting),
        }

    def progress(self) -> dict[str, Any]:
        """What of it is kept beside the columns."""
        kept = {"errors": dict(self.errors), "waiting": sorted(self.waiting)}
        return {name: value for name, value in kept.items() if value}

    def _after(self, entry: Entry, backing_off: frozenset[str]) -> "Trouble":
        if entry.kind in _TRIED:
            return self._failing(entry)
        if entry.kind in _BEHIND:
            errors = {step: error for step, error in self.errors.items() if step != entry.step}
            return replace(self, errors=errors, waiting=self.waiting - {entry.step})
        if entry.kind in _ANEW:
            return Trouble(last=_code(entry) if entry.kind is Kind.REFUSED else self.last or _code(entry))
        if entry.kind is Kind.SENT:  # a step that backs off goes on waiting
            return replace(self, waiting=self.waiting & backing_off)
        return self

    def _failing(self, entry: Entry) -> "Trouble":
        error, waiting = _code(entry), self.waiting - {entry.step}
        if entry.kind is Kind.WAITING:
            error, waiting = self.errors.get(entry.step, error), self.waiting | {entry.step}
        return Trouble({**self.errors, entry.step: error}, waiting, error)


def _code(entry: Entry) -> str:
    return str(entry.detail.get("class") or entry.detail.get("code") or "")
