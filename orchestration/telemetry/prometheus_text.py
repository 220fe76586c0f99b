"""The metrics that Prometheus scrapes: gauges and counts. A source that fails does not affect the others."""

import logging
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache

from prometheus_client.metrics_core import Metric

from orchestration.telemetry import gauge_definitions
from orchestration.telemetry.gauge_sources import SOURCES
from orchestration.telemetry.parallel_reads import ParallelReads

logger = logging.getLogger(__name__)

KEPT_FOR = timedelta(seconds=5)
"""Answers are kept for this time, so that more frequent scrapes, or several scrapers, cause no more queries."""
PATIENCE = timedelta(seconds=5)


class Exposition:
    """The sources as a registry (a collector) of Prometheus' client."""

    def __init__(self, sources: ParallelReads[list[Metric]]) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the sources that have answered, and a gauge that says which have."""
        found = self._sources.answers()
        yield gauge_definitions.SOURCE_UP.family(_ups(found))
        for source, answer in found.items():
            if isinstance(answer, Exception):
                logger.warning("no metrics of %s: %s", source, answer or type(answer).__name__)
            else:
                yield from answer


@cache
def exposition() -> Exposition:
    """Return the registry of this process."""
    return Exposition(ParallelReads(SOURCES, patience=PATIENCE, kept_for=KEPT_FOR))


def _ups(found: Mapping[str, list[Metric] | Exception]) -> Iterator[tuple[tuple[str, ...], float]]:
    return (((source,), float(not isinstance(answer, Exception))) for source, answer in found.items())
