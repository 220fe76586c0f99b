"""Every counter and histogram: its name, help text, labels and bounds."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

Key = tuple[str, ...]
"""The key of one count: the metric's name, then the values of its labels in their order."""

QUICK = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
WHOLE = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)


@dataclass(frozen=True)
class Counter:
    """A number that only grows, until Redis loses it."""

    name: str
    help: str
    labels: tuple[str, ...]

    def key(self, *values: str) -> Key:
        return (self.name, *values)


@dataclass(frozen=True)
class Histogram:
    """Counts durations by bucket. `bounds` are the upper bounds of the buckets, in seconds."""

    name: str
    help: str
    labels: tuple[str, ...]
    bounds: tuple[float, ...]

    def seen(self, seconds: float, *values: str) -> tuple[tuple[Key, float], tuple[Key, float]]:
        """Return what one observation adds to its bucket and to the sum, as (key, number) pairs."""
        bucket = _BUCKETS[bisect_left(self.bounds, seconds)]
        return ((self.name, *values, bucket), 1), ((self.name, *values, SUM), seconds)


SUM = "sum"
_BUCKETS = tuple(str(number) for number in range(max(len(QUICK), len(WHOLE)) + 1))

STARTED = Counter("saga_started_total", "Sagas started.", ("definition",))
ENDED = Counter("saga_ended_total", "Sagas ended, by the phase they ended in.", ("definition", "phase"))
END_TO_END = Histogram(
    "saga_end_to_end_seconds", "From the start of a saga to its end.", ("definition", "phase"), WHOLE
)
STEP = Histogram(
    "saga_step_seconds",
    "A message to a participant, from a worker's taking it in to what became of it; the time in queues is not in it.",
    ("step", "operation"),
    QUICK,
)
OUTCOMES = Counter(
    "saga_step_outcomes_total",
    "What became of messages to participants: done, refused, barred (turned away because its step was compensated or "
    "barred before), superseded (a later dispatch wrote the row), waiting (for a lock), breaker_open (nothing was "
    "tried), failed.",
    ("step", "operation", "outcome"),
)
DUPLICATES = Counter(
    "saga_duplicates_total", "Messages for what had been done before: they repeated what was said then.", ("step",)
)
REFUSALS = Counter("saga_refusals_total", "Refusals that ended the way forward of a saga.", ("step", "code"))
RETRIES = Counter("saga_retries_total", "Failed tries of a step after which it is tried again.", ("step", "error"))
WAITS = Counter("saga_breaker_waits_total", "Times a saga was made to wait for an open breaker.", ("step",))
PARKINGS = Counter("saga_parkings_total", "Times a step was left to a person.", ("step", "error"))
GIVEN_UP = Counter("saga_given_up_total", "Sagas given up without a refusal, by what for.", ("definition", "code"))
DEADLOCKS = Counter(
    "saga_deadlocks_total",
    "Deadlocks that were ended, by the definition of the saga given up. `cycle` names all definitions of the deadlock.",
    ("definition", "cycle"),
)
LOCK_WAIT = Histogram(
    "saga_lock_wait_seconds", "How long sagas have waited for a lock, whether they got it or not.", ("lock",), WHOLE
)
LOCK_BREAKS = Counter("saga_lock_breaks_total", "Locks that operators took from their sagas.", ("lock",))
DISPATCHES = Counter(
    "saga_dispatches_total",
    "Chains sent: forward, bar or undo; lost says whether it replaces one that was proved lost.",
    ("definition", "what", "lost"),
)
RESUMPTIONS = Counter("saga_resumed_total", "Times a person had a saga tried again.", ("definition",))

COUNTED: Mapping[str, Counter | Histogram] = {
    each.name: each
    for each in (
        *(STARTED, ENDED, END_TO_END, STEP, OUTCOMES, DUPLICATES, REFUSALS),
        *(RETRIES, WAITS, PARKINGS, GIVEN_UP, DISPATCHES, RESUMPTIONS),
        *(DEADLOCKS, LOCK_WAIT, LOCK_BREAKS),
    )
}
"""All counters and histograms, by name."""
