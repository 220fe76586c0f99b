"""Every gauge: its name, help text and labels."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric


@dataclass(frozen=True)
class Gauge:
    """A number that goes up and down."""

    name: str
    help: str
    labels: tuple[str, ...]

    def family(self, values: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
        """Return the metric with its samples. `values` are pairs of label values and number."""
        family = GaugeMetricFamily(self.name, self.help, labels=self.labels)
        for labels, number in values:
            family.add_metric(labels, number)
        return family


_BY_PHASE = ("definition", "phase")

UNFINISHED = Gauge("saga_unfinished", "Sagas that have not ended.", _BY_PHASE)
OLDEST = Gauge("saga_oldest_unfinished_seconds", "Age of the oldest saga that has not ended; 0 without any.", _BY_PHASE)
PARKED = Gauge("saga_parked", "Sagas of which a step waits for a person.", _BY_PHASE)
PAUSED = Gauge("saga_paused", "Sagas that go on when somebody unpauses them.", _BY_PHASE)
RETRYING = Gauge(
    "saga_retrying", "Sagas that wait for the time of their next try, for a breaker to close, or for a lock.", _BY_PHASE
)
BLOCKED = Gauge(
    "saga_compensation_blocked",
    "Sagas of which a compensation has failed, and is held back or parked.",
    ("definition",),
)
OVERDUE = Gauge(
    "saga_overdue_seconds", "How long the saga that has waited longest for recovery is due; above a few: none runs.", ()
)
LIMBO = Gauge(
    "saga_money_in_limbo_minor",
    "Money authorised or captured for sagas that have not ended, in minor units of the currency.",
    ("currency", "held"),
)
LOCKS_HELD = Gauge("saga_locks_held", "Locks that sagas hold.", ("service", "lock"))
LOCK_TURNS = Gauge("saga_lock_turns", "Sagas that wait for a lock.", ("service", "lock"))
LOCK_OLDEST = Gauge(
    "saga_lock_held_oldest_seconds", "How long the lock has been held that is held longest.", ("service", "lock")
)
QUEUED = Gauge("saga_queue_messages", "Messages that wait in a queue, without those workers hold.", ("queue",))
CONSUMERS = Gauge("saga_queue_consumers", "Workers that consume a queue.", ("queue",))
DEAD_LETTERS = Gauge("saga_dead_letters", "Messages that nobody could carry out.", ())
BREAKER = Gauge("saga_breaker_state", "1 for the state a circuit breaker is in.", ("breaker", "state"))
AUDIT_OK = Gauge(
    "saga_audit_ok", "Whether the last audit that came to its end found nothing violated in what it could check.", ()
)
AUDIT_UNCHECKED = Gauge(
    "saga_audit_not_checked",
    "1 for each invariant that the last audit could not check at all (extent all), or not against all books (part).",
    ("invariant", "extent"),
)
AUDIT_LATE = Gauge("saga_audit_late", "Whether an audit should have come to its end long since, and none has.", ())
FINDINGS = Gauge(
    "saga_audit_findings", "Violations that audits see now, by whether a person accepted them.", ("accepted",)
)
SOURCE_UP = Gauge("saga_metrics_source_up", "Whether a source of these metrics has answered.", ("source",))

GAUGES: Mapping[str, Gauge] = {
    each.name: each
    for each in (
        *(UNFINISHED, OLDEST, PARKED, PAUSED, RETRYING, BLOCKED, OVERDUE),
        *(LOCKS_HELD, LOCK_TURNS, LOCK_OLDEST),
        *(LIMBO, QUEUED, CONSUMERS, DEAD_LETTERS, BREAKER),
        *(AUDIT_OK, AUDIT_UNCHECKED, AUDIT_LATE, FINDINGS, SOURCE_UP),
    )
}
"""All gauges, by name."""
