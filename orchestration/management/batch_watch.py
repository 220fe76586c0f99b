"""The wait for the end of a batch, and the exit code that follows from it."""

import time
from datetime import timedelta

from django.core.management.base import CommandError

from orchestration.management.exit_codes import Exit
from orchestration.management.output import Output
from orchestration.models import ALIAS, Batch
from orchestration.operators.actions.batch_pacing import Tally
from orchestration.operators.actions.batches import OPEN, tally_of

LOOK_EVERY_S = 0.5


def follow(batch: Batch, patience: timedelta, output: Output) -> Batch:
    """Wait until the batch is over, `patience` ends or the operator interrupts. Return the batch as it is then."""
    until, seen = time.monotonic() + patience.total_seconds(), 0
    try:
        with output.counting(batch.action, batch.members_chosen) as bar:
            while True:
                batch = Batch.objects.using(ALIAS).get(pk=batch.pk)
                tally = tally_of(batch)
                bar.advance(_seen(batch, tally) - seen)
                seen = _seen(batch, tally)
                if _is_over(batch, tally) or time.monotonic() >= until:
                    return batch
                time.sleep(LOOK_EVERY_S)
    except KeyboardInterrupt:
        output.note("no longer watched; the batch goes on")
        return batch


def judge(batch: Batch) -> None:
    """End with an exit code that says how the batch ended.

    :raises CommandError: unless it is over, and each of its members was done and did not fail.
    """
    tally = tally_of(batch)
    if not _is_over(batch, tally):
        seen = f"{_seen(batch, tally)} of {batch.members_chosen}"
        raise CommandError(
            f"the batch is {batch.state}: the outcome of {seen} was seen in time", returncode=Exit.TIMED_OUT
        )
    if tally.worked == batch.members_chosen:
        return
    why = f": {batch.stopped_why.removesuffix('.')}" if batch.stopped_why else ""
    sentence = f"the batch is {batch.state}{why}; {_in_words(tally)}"
    nothing_was_changed = not tally.worked and not tally.failed
    raise CommandError(sentence, returncode=Exit.REFUSED if nothing_was_changed else Exit.SOME_FAILED)


def _is_over(batch: Batch, tally: Tally) -> bool:
    """Return whether no further member is begun and all outcomes are known."""
    return batch.state not in OPEN and not tally.under_way


def _seen(batch: Batch, tally: Tally) -> int:
    return batch.members_chosen - tally.to_do - tally.under_way


def _in_words(tally: Tally) -> str:
    counts = {
        "worked": tally.worked,
        "failed": tally.failed,
        "refused": tally.refused,
        "passed over": tally.passed_over,
        "not begun": tally.to_do,
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)
