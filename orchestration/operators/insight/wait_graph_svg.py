"""The graph of waiting sagas as an SVG: a box for each saga, an arrow to the saga that it waits for. Pure."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID
from xml.etree.ElementTree import Element, SubElement, tostring

from orchestration.operators.insight.svg_elements import standalone_style, text
from orchestration.operators.insight.wait_graph import GraphSaga, WaitGraph
from orchestration.text import formatting
from orchestration.text.cleaning import harmless_lines

WIDTH, HEIGHT = 250, 54
"""The size of a box, in pixels."""
BESIDE, BELOW = 150, 24
"""The distances between boxes, in pixels. The name of the resource stands between them."""
MARGIN = 46
LONGEST_NAME = 22
"""The most characters of a resource that are drawn. Its title has all."""
_RED, _GREY = "#d64545", "#8a8f98"

Place = tuple[float, float]


def wait_graph_svg(graph: WaitGraph, now: datetime) -> str:
    """Draw the graph as SVG text, with loops in red. Its description says the same in words, for screen readers."""
    places = _places(graph)
    svg = _root(graph, places, now)
    _arrow_heads(svg)
    for saga in graph.sagas:
        _box(svg, saga, places[saga.saga_id], now)
    for saga in graph.sagas:
        if saga.waits_for and saga.waits_for in places:
            _arrow(svg, saga, places[saga.saga_id], places[saga.waits_for])
    return tostring(svg, encoding="unicode")


def sentence_of(saga: GraphSaga, now: datetime) -> str:
    """Describe what a saga waits for, such as "Saga 0198… (exchange.v1) has waited 4 s for wallet:a, held by 0199…"."""
    name = f"Saga {saga.saga_id} ({saga.definition})"
    if saga.is_victim:
        return f"{name} is given up to end a deadlock, and has its locks until it is compensated."
    if saga.waits_for is None:
        return f"{name} waits for no lock and is {saga.status.replace('_', ' ')}."
    waited = f" {formatting.span(now - saga.since)}" if saga.since else ""
    cycle = ", in a deadlock" if saga.is_in_cycle else ""
    return f"{name} has waited{waited} for {saga.resource}, held by saga {saga.waits_for}{cycle}."


def _places(graph: WaitGraph) -> Mapping[UUID, Place]:
    """Return the corner of each box. Holders and cycles stand at the left. A saga that waits stands at the right of the
    saga that it waits for.
    """
    sagas = {saga.saga_id: saga for saga in graph.sagas}
    in_cycles = [saga_id for cycle in graph.cycles for saga_id in cycle]
    waiters: dict[UUID, list[UUID]] = {}
    for saga in graph.sagas:
        if saga.waits_for is not None and not saga.is_in_cycle:
            waiters.setdefault(saga.waits_for, []).append(saga.saga_id)
    others = [saga_id for saga_id, saga in sagas.items() if not saga.is_in_cycle and saga.waits_for not in sagas]
    places: dict[UUID, Place] = {}
    row = 0
    for root in [*in_cycles, *others]:
        row = _place(root, 0, row, waiters, places) + 1
    return places


def _place(saga_id: UUID, column: int, row: int, waiters: Mapping[UUID, list[UUID]], places: dict[UUID, Place]) -> int:
    """Place a saga and all that wait for it. Return the last row that they take."""
    places[saga_id] = (MARGIN + column * (WIDTH + BESIDE), MARGIN / 2 + row * (HEIGHT + BELOW))
    for number, waiter in enumerate(waiters.get(saga_id, ())):
        row = _place(waiter, column + 1, row + (number > 0), waiters, places)
    return row


def _root(graph: WaitGraph, places: Mapping[UUID, Place], now: datetime) -> Element:
    right = max((x for x, _ in places.values()), default=0) + WIDTH + MARGIN / 2
    bottom = max((y for _, y in places.values()), default=0) + HEIGHT + MARGIN / 2
    svg = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": "wait-graph",
            "role": "img",
            "aria-labelledby": "wait-graph-title wait-graph-desc",
            "viewBox": f"0 0 {right:.0f} {bottom:.0f}",
            "width": f"{right:.0f}",
            "height": f"{bottom:.0f}",
            "font-family": "system-ui, sans-serif",
            "font-size": "12",
            "fill": "currentColor",
        },
    )
    title = f"{formatting.count(len(graph.sagas), 'saga')}, {formatting.count(len(graph.cycles), 'deadlock')}"
    SubElement(svg, "title", id="wait-graph-title").text = f"Sagas that wait for locks: {title}"
    said = " ".join(sentence_of(saga, now) for saga in graph.sagas)
    SubElement(svg, "desc", id="wait-graph-desc").text = harmless_lines(said) or "No saga waits."
    SubElement(svg, "style").text = standalone_style("wait-graph")
    return svg


def _arrow_heads(svg: Element) -> None:
    defs = SubElement(svg, "defs")
    for name, colour in (("wait-arrow", _GREY), ("wait-arrow-loop", _RED)):
        size = {"markerWidth": "8", "markerHeight": "8", "refX": "8", "refY": "4", "orient": "auto"}
        marker = SubElement(defs, "marker", {"id": name, **size})
        SubElement(marker, "path", {"d": "M0,0 L8,4 L0,8 z", "fill": colour})


def _box(svg: Element, saga: GraphSaga, place: Place, now: datetime) -> None:
    x, y = place
    looks = "saga" + " loop" * saga.is_in_cycle + " victim" * saga.is_victim
    group = SubElement(svg, "g", {"class": looks, "data-saga": str(saga.saga_id)})
    SubElement(group, "title").text = harmless_lines(sentence_of(saga, now))
    marked = saga.is_in_cycle or saga.is_victim
    line = {"stroke": _RED if marked else _GREY, "stroke-width": "2" if marked else "1"}
    dashes = {"stroke-dasharray": "5 3"} if saga.is_victim else {}
    size = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{WIDTH}", "height": f"{HEIGHT}", "rx": "5"}
    SubElement(group, "rect", size | line | dashes | {"fill": "currentColor", "fill-opacity": "0.04"})
    text(group, x + 10, y + 18, f"{str(saga.saga_id)[:13]}… {saga.definition}")
    step = f"{saga.step} " if saga.step else ""
    text(group, x + 10, y + 33, f"{step}{saga.status.replace('_', ' ')}", size=11, opacity=0.8)
    last = (
        "victim: it is given up" if saga.is_victim else f"for {formatting.span(now - saga.since)}" if saga.since else ""
    )
    text(group, x + 10, y + 47, last, size=11, opacity=0.8)


def _arrow(svg: Element, saga: GraphSaga, start: Place, end: Place) -> None:
    """Draw the arrow from a saga to the holder of the lock that it waits for, with the name of the resource."""
    colour, head = (_RED, "wait-arrow-loop") if saga.is_in_cycle else (_GREY, "wait-arrow")
    (x, y), (to_x, to_y) = start, end
    label, anchor = (x - BESIDE / 2, y + HEIGHT / 2 - 6), "middle"
    if x > to_x:
        path = f"M{x:.1f},{y + HEIGHT / 2:.1f} L{to_x + WIDTH:.1f},{to_y + HEIGHT / 2:.1f}"
    elif to_y > y:  # the next of a loop stands below
        path = f"M{x + 40:.1f},{y + HEIGHT:.1f} L{x + 40:.1f},{to_y:.1f}"
        label, anchor = (x + 48, to_y - 8), "start"
    else:  # back to the first of the loop, around the left
        left = x - MARGIN / 2
        path = f"M{x:.1f},{y + 20:.1f} L{left:.1f},{y + 20:.1f} L{left:.1f},{to_y + 34:.1f} L{x:.1f},{to_y + 34:.1f}"
        label, anchor = (left, y + HEIGHT + 14), "start"
    group = SubElement(svg, "g", {"class": "wait loop" if saga.is_in_cycle else "wait"})
    SubElement(group, "title").text = harmless_lines(saga.resource)
    stroke = {"stroke": colour, "stroke-width": "1.5", "fill": "none", "marker-end": f"url(#{head})"}
    SubElement(group, "path", {"d": path} | stroke)
    text(group, *label, _shortened(saga.resource), anchor=anchor, size=11)


def _shortened(resource: str) -> str:
    return resource if len(resource) <= LONGEST_NAME else f"{resource[: LONGEST_NAME - 1]}…"
