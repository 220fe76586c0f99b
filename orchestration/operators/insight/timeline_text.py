"""One saga's timeline as text for a terminal: one line for each attempt, with a bar on the scale of the SVG. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from orchestration.operators.insight.saga_view import SagaView
from orchestration.operators.insight.timeline_data import Look, TimelineBar, bars_of, pivot_of, skipped_of, steps_of
from orchestration.operators.insight.timeline_svg import LABELS, Scale, moments_of
from orchestration.text import formatting
from orchestration.text.cleaning import harmless_lines

NARROWEST = 16
"""The least number of columns for the bars."""
_DRAWN: Mapping[Look, str] = {
    Look.DONE: "█",
    Look.REFUSED: "x",
    Look.FAILED: "x",
    Look.COMPENSATED: "▓",
    Look.COMPENSATION_FAILED: "x",
    Look.BARRED: "▓",
    Look.WAITING: "·",
    Look.PARKED: "░",
    Look.UNDER_WAY: "▒",
}


def timeline_lines(view: SagaView, now: datetime, *, columns: int) -> Iterator[str]:
    """Yield the lines of the timeline, at most `columns` characters wide. Longer descriptions are cut.

    Time runs to the right. Long stretches are shortened as in the SVG.
    """
    bars, steps = bars_of(view, now), steps_of(view)
    if not bars:
        yield "Nothing has happened yet."
        return
    scale = Scale.over(moments_of(view, bars, now))
    labels = max(len(_label(step, view)) for step in steps) + 1
    field = max(NARROWEST, (columns - labels) * 2 // 5)
    for step in steps:
        label = _label(step, view)
        for bar in (bar for bar in bars if bar.step == step):
            drawn = _drawn(bar, scale, field)
            yield harmless_lines(f"{label:{labels}}{drawn} {_description(bar, scale.moments[0])}")[:columns].rstrip()
            label = ""
        if label:
            yield f"{label:{labels}}skipped" if step in skipped_of(view) else label
    first, last = scale.moments[0], scale.moments[-1]
    yield f"{'':{labels}}{formatting.moment(first)} + {formatting.span(last - first)}"


def _label(step: str, view: SagaView) -> str:
    return f"{step} (pivot)" if step == pivot_of(view) else step


def _description(bar: TimelineBar, began: datetime) -> str:
    """Return the bar's title without the step, and without the date if the saga began on that date."""
    return bar.title.removeprefix(f"{bar.step}: ").replace(f"{formatting.moment(began)[:10]} ", "")


def _drawn(bar: TimelineBar, scale: Scale, field: int) -> str:
    """Return a bar padded to the width of the field. The bar has at least one character."""
    first, last = (_column(moment, scale, field) for moment in (bar.start, bar.end))
    start = min(first, field - 1)
    return f"{' ' * start}{_DRAWN[bar.look] * max(1, last - start):{field - start}}"


def _column(moment: datetime, scale: Scale, field: int) -> int:
    return round((scale.at(moment) - LABELS) / (scale.end - LABELS) * field)
