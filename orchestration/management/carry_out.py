"""The execution of an operator's action on the chosen sagas, one after the other, with the outcome of each."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from orchestration.engine.engine import NoSuchSaga
from orchestration.management.exit_codes import Exit
from orchestration.management.selection import Chosen
from orchestration.models import OperatorLogEntry
from orchestration.models.actions import Code
from orchestration.operators.actions.perform import perform
from orchestration.operators.actions.preview import preview
from orchestration.operators.actions.requests import Ask, Preview

UNKNOWN, PASSED_OVER = "unknown", "passed_over"
"""There is no such saga; the saga did not match any more when it was its turn."""
BROKEN = frozenset({Code.UNKNOWN_DEFINITION, UNKNOWN})
"""Codes whose cause is not the state of the saga."""


@dataclass(frozen=True)
class ActionDone:
    """The result for one saga: `code` is that of its entry in the operator log, or one of the codes above."""

    saga_id: UUID
    code: str
    entry: OperatorLogEntry | None = None

    @property
    def was_taken(self) -> bool:
        return self.code == Code.TAKEN

    def as_json(self) -> dict[str, Any]:
        """Return the result as the command prints it, JSON-ready."""
        entry = self.entry
        return {
            "id": str(self.saga_id),
            "code": self.code,
            "detail": entry.detail if entry else "",
            "phase": entry.after["phase"] if entry else None,
            "log_entry": entry.pk if entry else None,
            "observed": entry.observed if entry and entry.observed_at else None,
            "observed_detail": entry.observed_detail if entry else "",
        }


def previews(chosen: Chosen, ask: Ask) -> Iterator[Preview]:
    """Yield a preview of the action on each saga."""
    for saga_id in chosen.ids:
        try:
            yield preview(saga_id, ask)
        except NoSuchSaga:
            continue  # it has been purged since it was chosen


def do(chosen: Chosen, ask: Ask, *, per_second: float | None) -> Iterator[ActionDone]:
    """Carry out the action on each saga that still matches and has not changed since that was checked."""
    for saga_id in chosen.unknown:
        yield ActionDone(saga_id, UNKNOWN)
    next_at = time.monotonic()
    for saga_id in chosen.ids:
        time.sleep(max(0.0, next_at - time.monotonic()))
        next_at = time.monotonic() + (1 / per_second if per_second else 0.0)
        yield _do(chosen, saga_id, ask)


def judge(done: list[ActionDone]) -> None:
    """End with an exit code that says how many were done.

    :raises CommandError: unless each was done.
    """
    refused = [each for each in done if not each.was_taken]
    if len(refused) == len(done):
        broken = any(each.code in BROKEN for each in refused)
        raise CommandError(
            f"nothing was changed: {_in_words(refused)}", returncode=Exit.ERROR if broken else Exit.REFUSED
        )
    if refused:
        raise CommandError(
            f"{len(refused)} of {len(done)} were not done: {_in_words(refused)}", returncode=Exit.SOME_FAILED
        )


def judge_previews(looked_at: list[Preview]) -> None:
    """End with an exit code that says on how many the action is possible.

    :raises CommandError: unless the action is possible on each.
    """
    impossible = [each for each in looked_at if not each.possible]
    if impossible:
        all_of_them = len(impossible) == len(looked_at)
        sentence = f"not possible on {len(impossible)} of {len(looked_at)}"
        raise CommandError(sentence, returncode=Exit.REFUSED if all_of_them else Exit.SOME_FAILED)


def _do(chosen: Chosen, saga_id: UUID, ask: Ask) -> ActionDone:
    version = chosen.version_of(saga_id)
    if version is None:
        return ActionDone(saga_id, PASSED_OVER)
    try:
        entry = perform(saga_id, ask, expected_version=version)
    except NoSuchSaga:
        return ActionDone(saga_id, UNKNOWN)
    return ActionDone(saga_id, entry.code, entry)


def _in_words(done: list[ActionDone]) -> str:
    if len(done) == 1 and done[0].entry and done[0].entry.detail:
        return done[0].entry.detail
    return _counted(Counter(each.code for each in done))


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {code.replace('_', ' ')}" for code, count in counter.most_common())
