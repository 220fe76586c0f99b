"""Converts counts to the metric families of Prometheus' client."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from orchestration.telemetry.metric_definitions import COUNTED, SUM, Counter, Histogram, Key

Values = Mapping[Key, float]


def families(counts: Values) -> Iterator[Metric]:
    """Yield every counter and histogram. Those without counts have no sample.

    Counts with a name or labels of another version of this code are left out.
    """
    by_name: defaultdict[str, dict[Key, float]] = defaultdict(dict)
    for (name, *rest), by in counts.items():
        by_name[name][tuple(rest)] = by
    for metric in COUNTED.values():
        make = _counter if isinstance(metric, Counter) else _histogram
        yield make(metric, by_name[metric.name])  # type: ignore[arg-type]


def _counter(metric: Counter, values: Values) -> Metric:
    family = CounterMetricFamily(metric.name.removesuffix("_total"), metric.help, labels=metric.labels)
    for labels, by in values.items():
        if len(labels) == len(metric.labels):
            family.add_metric(labels, by)
    return family


def _histogram(metric: Histogram, values: Values) -> Metric:
    family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    parts: defaultdict[Key, dict[str, float]] = defaultdict(dict)
    for (*labels, part), by in values.items():
        if len(labels) == len(metric.labels):
            parts[tuple(labels)][part] = by
    for each, seen in parts.items():
        family.add_metric(each, _cumulated(metric, seen), seen.get(SUM, 0.0))
    return family


def _cumulated(metric: Histogram, seen: Mapping[str, float]) -> list[tuple[str, float]]:
    buckets, so_far = [], 0.0
    for number, bound in enumerate([*map(str, map(float, metric.bounds)), "+Inf"]):
        so_far += seen.get(str(number), 0.0)
        buckets.append((bound, so_far))
    return buckets
