"""The wait for the outcomes of operators' actions, and the exit code that follows from them."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta

from django.core.management.base import CommandError

from orchestration.management.carry_out import ActionDone
from orchestration.management.exit_codes import Exit
from orchestration.models import OperatorLogEntry
from orchestration.operators.actions.outcome import FAILURES
from orchestration.operators.actions.outcome_watcher import observe


def seen_through(done: Iterable[ActionDone], patience: timedelta) -> Iterator[ActionDone]:
    """Yield each action with its outcome, if that is known within `patience`, which covers all actions together."""
    until = time.monotonic() + patience.total_seconds()
    for each in done:
        if each.entry is None or not each.was_taken:
            yield each
            continue
        left = timedelta(seconds=max(0.0, until - time.monotonic()))
        yield replace(each, entry=observe(each.entry, left))


def judge_outcomes(entries: list[OperatorLogEntry]) -> None:
    """End with an exit code that says how the actions ended.

    :raises CommandError: unless the outcome of each is known, and is no failure.
    """
    badly = [entry for entry in entries if entry.observed in FAILURES]
    if badly:
        outcomes = Counter(entry.observed.replace("_", " ") for entry in badly)
        sentence = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
        raise CommandError(f"{len(badly)} of {len(entries)} did not go well: {sentence}", returncode=Exit.SOME_FAILED)
    open_still = [entry for entry in entries if entry.observed_at is None]
    if open_still:
        sentence = f"the outcome of {len(open_still)} of {len(entries)} was not seen in time"
        raise CommandError(sentence, returncode=Exit.TIMED_OUT)
