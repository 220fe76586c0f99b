"""Summarises the current failures of a saga for its row, so that lists of sagas need not read logs. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from orchestration.protocol.states import Entry, Kind, State

BROKER = "broker"
"""Used in place of a step's name when the broker did not take the message."""

_FAILURES = frozenset({Kind.FAILED, Kind.WAITING})
_SUCCESSES = frozenset({Kind.DONE, Kind.UNDONE, Kind.SETTLED, Kind.QUEUED})
"""Entries after which their step does not count as failing. A step that waits for a lock has not failed."""
_RESETS = frozenset(
    {Kind.REFUSED, Kind.GAVE_UP, Kind.PIVOT_BARRED, Kind.PIVOT_DONE, Kind.RESUMED, Kind.COMPLETED, Kind.COMPENSATED}
)
"""Entries after which no step counts as failing."""


@dataclass(frozen=True)
class FailureSummary:
    """The current failures of a saga.

    `errors` has the error of the last try of each failing step: its class or code. An open breaker does not replace the
    error that opened it. `waiting` has the steps that are not tried until a breaker closes, and `BROKER` when the
    command waits for the broker. `last` is the newest error, or the code with which the saga was refused or given up.
    It stays when no step fails any more.
    """

    errors: Mapping[str, str] = field(default_factory=dict)
    waiting: frozenset[str] = frozenset()
    last: str = ""

    def after(self, entries: Iterable[Entry], state: State) -> "FailureSummary":
        """Return the summary after a decision with these new log entries and this state."""
        summary = self
        for entry in entries:
            summary = summary._after(entry, state.backing_off)
        return summary

    def without_broker(self) -> "FailureSummary":
        """Return the summary after the broker did not take the command."""
        return replace(self, waiting=self.waiting | {BROKER})

    def columns(self, state: State) -> dict[str, Any]:
        """Return the row's columns for lists and filters. If several steps fail, they name a parked one first."""
        step = min(self.errors, key=lambda name: (name not in state.parked, name), default="")
        return {
            "failing_step": step,
            "failed_tries": state.failures.get(step, 0),
            "last_error": self.errors.get(step, self.last),
            "waits": bool(self.waiting) or state.wait is not None,
        }

    def progress(self) -> dict[str, Any]:
        """Return what is stored in `progress`, beside the columns."""
        kept = {"errors": dict(self.errors), "waiting": sorted(self.waiting)}
        return {name: value for name, value in kept.items() if value}

    def _after(self, entry: Entry, backing_off: frozenset[str]) -> "FailureSummary":
        if entry.kind in _FAILURES:
            return self._failing(entry)
        if entry.kind in _SUCCESSES:
            errors = {step: error for step, error in self.errors.items() if step != entry.step}
            return replace(self, errors=errors, waiting=self.waiting - {entry.step})
        if entry.kind in _RESETS:
            return FailureSummary(last=_code(entry) if entry.kind is Kind.REFUSED else self.last or _code(entry))
        if entry.kind is Kind.SENT:  # steps that back off are not sent, so they still wait
            return replace(self, waiting=self.waiting & backing_off)
        return self

    def _failing(self, entry: Entry) -> "FailureSummary":
        error, waiting = _code(entry), self.waiting - {entry.step}
        if entry.kind is Kind.WAITING:
            error, waiting = self.errors.get(entry.step, error), self.waiting | {entry.step}
        return FailureSummary({**self.errors, entry.step: error}, waiting, error)


def _code(entry: Entry) -> str:
    return str(entry.detail.get("class") or entry.detail.get("code") or "")
