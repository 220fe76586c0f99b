"""The shop's figures at one moment, for commands and staff. A source that is down is named and hides no other."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestration.operators.insight import bottleneck, breakers, queues, sources, stats
from orchestration.operators.insight.bottleneck import Bottleneck, ReadSources
from orchestration.operators.insight.counts import Count, preset_counts
from orchestration.operators.insight.queues import QueueNow
from orchestration.operators.insight.sources import Unavailable
from orchestration.operators.insight.stats import Stats


@dataclass(frozen=True)
class Figures:
    """The figures that could be read; `unread` names the sources that did not answer."""

    stats: Stats | Unavailable
    presets: Mapping[str, Count]
    queues: tuple[QueueNow, ...]
    bottleneck: Bottleneck | None
    unread: tuple[str, ...]


def read(*, now: datetime, window: timedelta = stats.WINDOW) -> Figures:
    """Read each source once."""
    measured = stats.stats(now=now, window=window)
    counted = sources.read("the database of orchestration", lambda: preset_counts(now=now))
    waiting, states = queues.queues(), breakers.breakers()
    answers = (measured, counted, waiting, states)
    return Figures(
        stats=measured,
        presets={} if isinstance(counted, Unavailable) else counted,
        queues=() if isinstance(waiting, Unavailable) else waiting,
        bottleneck=bottleneck.bottleneck(ReadSources(waiting, states, measured)),
        unread=tuple(sorted({each.why for each in answers if isinstance(each, Unavailable)})),
    )
