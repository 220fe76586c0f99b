"""The timeline of one saga as an SVG: a row for each step, a bar for each attempt. It needs no script. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from xml.etree.ElementTree import Element, SubElement, tostring

from orchestration.operators.insight.saga_view import SagaView
from orchestration.operators.insight.status import status_of
from orchestration.operators.insight.svg_elements import standalone_style, text
from orchestration.operators.insight.timeline_data import (
    Look,
    TimelineBar,
    bars_of,
    pivot_done_at,
    pivot_of,
    skipped_of,
    steps_of,
)
from orchestration.text import formatting
from orchestration.text.cleaning import harmless_lines

LABELS, PLOT, RIGHT = 190, 740, 30
"""Widths in pixels: of the steps' names, of the plot (at least), and of the margin on its right."""
TOP, ROW, BAR = 34, 34, 18
"""Heights in pixels: above the first row, of a row, of a bar."""
NARROWEST = 5.0
"""The least distance between two neighbouring moments, in pixels."""
EVEN = timedelta(milliseconds=10)
"""Stretches much longer than this grow with their logarithm, so that half an hour of waiting leaves room for the rest.
"""
BETWEEN_TICKS = 84
LINE = 20

_FILLS: Mapping[Look, str] = {
    Look.DONE: "#2e9e5b",
    Look.REFUSED: "#d64545",
    Look.FAILED: "#d64545",
    Look.COMPENSATED: "#e0a020",
    Look.COMPENSATION_FAILED: "#e0a020",
    Look.BARRED: "#b07a10",
    Look.UNDER_WAY: "#4a90d9",
}
_HATCHED = {Look.WAITING: "#8a8f98", Look.PARKED: "#d64545"}
_RED, _GREY, _BLUE = "#d64545", "#8a8f98", "#4a90d9"


@dataclass(frozen=True)
class Scale:
    """The x coordinate of each moment. Time runs to the right; long stretches are shortened so that short ones show."""

    moments: tuple[datetime, ...]
    places: tuple[float, ...]

    @classmethod
    def over(cls, moments: Iterable[datetime]) -> "Scale":
        """Return a scale that gives each of these moments its own x coordinate."""
        ordered = tuple(sorted(set(moments)))
        spans = [math.log1p((later - sooner) / EVEN) for sooner, later in pairwise(ordered)]
        left = max(PLOT - NARROWEST * len(spans), 0.0)
        total = sum(spans) or 1.0
        places = [float(LABELS)]
        for span in spans:
            places.append(places[-1] + NARROWEST + span / total * left)
        return cls(ordered, tuple(places))

    def at(self, moment: datetime) -> float:
        """Return the x coordinate of one of the moments."""
        return self.places[self.moments.index(moment)]

    @property
    def end(self) -> float:
        return self.places[-1]


def timeline_svg(view: SagaView, now: datetime) -> str:
    """Draw the timeline as SVG text. Each bar has a title and the picture a description, for screen readers."""
    bars, steps = bars_of(view, now), steps_of(view)
    scale = Scale.over(moments_of(view, bars, now))
    bottom = TOP + ROW * len(steps)
    looks = [look for look in Look if any(bar.look is look for bar in bars)]
    svg = _root(view, bars, width=scale.end + RIGHT, height=bottom + 3 * LINE)
    _patterns(svg, view)
    _rows(svg, steps, pivot_of(view), scale.end)
    for step in skipped_of(view).intersection(steps):
        text(svg, LABELS + 4, TOP + ROW * (steps.index(step) + 0.5) + 4, "skipped", size=10, opacity=0.55)
    _ticks(svg, scale, bottom)
    for bar in bars:
        _bar(svg, bar, scale, TOP + ROW * steps.index(bar.step), view)
    _lines(svg, view, scale, bottom, now)
    _legend(svg, looks, bottom + 2 * LINE, view)
    return tostring(svg, encoding="unicode")


def moments_of(view: SagaView, bars: Sequence[TimelineBar], now: datetime) -> Iterable[datetime]:
    """Yield the moments that the scale must hold: start and end of the saga and of each bar, and the pivot's end."""
    yield view.instance.created_at
    yield view.instance.ended_at or now
    if pivot_at := pivot_done_at(view):
        yield pivot_at
    for bar in bars:
        yield bar.start
        yield bar.end


def _root(view: SagaView, bars: Sequence[TimelineBar], *, width: float, height: float) -> Element:
    saga_id = str(view.instance.pk)
    svg = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": "saga-timeline",
            "role": "img",
            "aria-labelledby": f"{saga_id}-title {saga_id}-desc",
            "viewBox": f"0 0 {width:.0f} {height:.0f}",
            "width": f"{width:.0f}",
            "height": f"{height:.0f}",
            "font-family": "system-ui, sans-serif",
            "font-size": "12",
            "fill": "currentColor",
        },
    )
    status = status_of(view.instance).value.replace("_", " ")
    SubElement(svg, "title", id=f"{saga_id}-title").text = f"Timeline of saga {saga_id}, {status}"
    SubElement(svg, "desc", id=f"{saga_id}-desc").text = (
        harmless_lines("; ".join(bar.title for bar in bars)) or "Nothing yet."
    )
    SubElement(svg, "style").text = standalone_style("saga-timeline")
    return svg


def _patterns(svg: Element, view: SagaView) -> None:
    defs = SubElement(svg, "defs")
    for look, colour in _HATCHED.items():
        pattern = SubElement(
            defs,
            "pattern",
            {"id": _pattern(look, view), "width": "6", "height": "6", "patternUnits": "userSpaceOnUse"}
            | {"patternTransform": "rotate(45)"},
        )
        SubElement(pattern, "rect", {"width": "6", "height": "6", "fill": colour, "fill-opacity": "0.15"})
        SubElement(pattern, "rect", {"width": "2.4", "height": "6", "fill": colour})


def _pattern(look: Look, view: SagaView) -> str:
    return f"{look.value}-{view.instance.pk}"


def _rows(svg: Element, steps: Sequence[str], pivot: str, end: float) -> None:
    for number, step in enumerate(steps):
        top = TOP + ROW * number
        attributes = {"x": "0", "y": f"{top}", "width": f"{end + RIGHT:.1f}", "height": f"{ROW}"}
        if number % 2 == 0:
            SubElement(svg, "rect", attributes | {"fill": "currentColor", "fill-opacity": "0.04"})
        name = text(svg, LABELS - 12, top + ROW / 2 + 4, step, anchor="end")
        if step == pivot:
            name.set("font-weight", "bold")
            text(svg, LABELS - 12, top + ROW / 2 + 11, "pivot", anchor="end", size=9, opacity=0.7)
            name.set("y", f"{top + ROW / 2 - 1:.1f}")
            under = f"{top + ROW}"
            dashed = {"stroke": "currentColor", "stroke-opacity": "0.5", "stroke-dasharray": "2 4"}
            line = SubElement(svg, "line", {"x1": "0", "x2": f"{end + RIGHT:.1f}", "y1": under, "y2": under} | dashed)
            line.set("class", "pivot-lane")
            SubElement(line, "title").text = f"{pivot} is the pivot: steps below are never compensated"


def _ticks(svg: Element, scale: Scale, bottom: float) -> None:
    last = -math.inf
    for moment, place in zip(scale.moments, scale.places, strict=True):
        if place - last < BETWEEN_TICKS:
            continue
        last = place
        elapsed = moment - scale.moments[0]
        mark = {"x1": f"{place:.1f}", "x2": f"{place:.1f}", "y1": f"{TOP}", "y2": f"{bottom + 4}"}
        SubElement(svg, "line", mark | {"stroke": "currentColor", "stroke-opacity": "0.15"})
        label = formatting.moment(moment)[11:19] if elapsed == timedelta(0) else f"+{_elapsed(elapsed)}"
        elapsed_text = text(svg, place, bottom + LINE - 2, label, anchor="middle", size=10, opacity=0.75)
        SubElement(elapsed_text, "title").text = formatting.moment(moment)


def _elapsed(span: timedelta) -> str:
    seconds = span.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else formatting.span(span)


def _bar(svg: Element, bar: TimelineBar, scale: Scale, top: float, view: SagaView) -> None:
    start, end = scale.at(bar.start), scale.at(bar.end)
    rect = SubElement(
        svg,
        "rect",
        {
            "class": f"bar {bar.look.value.replace(' ', '-')}",
            "data-step": bar.step,
            "data-start": bar.start.astimezone(UTC).isoformat(),
            "data-end": bar.end.astimezone(UTC).isoformat(),
            "x": f"{start:.1f}",
            "y": f"{top + (ROW - BAR) / 2:.1f}",
            "width": f"{end - start:.1f}",
            "height": f"{BAR}",
            "rx": "2",
            **_paint(bar.look, view),
        },
    )
    SubElement(rect, "title").text = harmless_lines(bar.title)


def _paint(look: Look, view: SagaView) -> dict[str, str]:
    if look in _HATCHED:
        return {"fill": f"url(#{_pattern(look, view)})", "stroke": _HATCHED[look], "stroke-width": "0.8"}
    paint = {"fill": _FILLS[look]}
    if look is Look.FAILED:
        return paint | {"fill-opacity": "0.35", "stroke": _RED, "stroke-width": "1.2"}
    if look is Look.COMPENSATION_FAILED:
        return paint | {"fill-opacity": "0.35", "stroke": _RED, "stroke-width": "1.2"}
    if look is Look.UNDER_WAY:
        return paint | {"fill-opacity": "0.45", "stroke": _BLUE, "stroke-dasharray": "4 2"}
    return paint


def _lines(svg: Element, view: SagaView, scale: Scale, bottom: float, now: datetime) -> None:
    """Draw a line where the pivot was done, and one at the present time unless the saga has ended."""
    if at := pivot_done_at(view):
        _line(
            svg,
            scale.at(at),
            bottom,
            "pivot",
            f"The pivot is done at {formatting.moment(at)}: no way back",
            "currentColor",
        )
    if view.instance.ended_at is None:
        _line(svg, scale.at(now), bottom, "now", f"Now: {formatting.moment(now)}", _BLUE)


def _line(svg: Element, place: float, bottom: float, word: str, title: str, colour: str) -> None:
    group = SubElement(svg, "g", {"class": f"{word}-line"})
    SubElement(group, "title").text = title
    ends = {"x1": f"{place:.1f}", "x2": f"{place:.1f}", "y1": f"{TOP - 8}", "y2": f"{bottom}"}
    SubElement(group, "line", ends | {"stroke": colour, "stroke-width": "1.5"})
    label = text(group, place, TOP - 13, word, anchor="middle", size=11)
    label.set("fill", colour)


def _legend(svg: Element, looks: Sequence[Look], y: float, view: SagaView) -> None:
    x = float(LABELS)
    for look in looks:
        box = {"x": f"{x:.0f}", "y": f"{y - 9:.0f}", "width": "12", "height": "10", "rx": "2"}
        SubElement(svg, "rect", box | _paint(look, view) | {"class": "legend", "aria-hidden": "true"})
        text(svg, x + 17, y, look.value, size=10, opacity=0.8)
        x += 34 + 6 * len(look.value)
    text(svg, x + 6, y, "long stretches are shortened", size=10, opacity=0.55)
