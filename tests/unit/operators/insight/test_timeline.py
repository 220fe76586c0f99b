"""The picture of a saga, read as what it is: XML."""

from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID
from xml.etree.ElementTree import Element, fromstring

import pytest

from orchestration.operators.insight.saga_view import SagaView
from orchestration.operators.insight.timeline_data import Look, bars_of
from orchestration.operators.insight.timeline_svg import LABELS, RIGHT, timeline_svg
from orchestration.operators.insight.timeline_text import timeline_lines
from orchestration.protocol.states import Kind
from tests.unit.operators.insight.saga_views import (
    BEGAN,
    COMPENSATED,
    COMPLETED,
    EVERY,
    RETRYING,
    RUNNING,
    Line,
    at,
    line,
    parked,
    saga_view_of,
)

SVG = "{http://www.w3.org/2000/svg}"
WAITED = saga_view_of(
    [
        *(line(0, Kind.STARTED), line(0.03, Kind.DONE, "reserve_stock")),
        *(line(0.1, Kind.WAITING, "authorise_payment", **{"class": "BreakerOpen"}), line(1800, Kind.SENT)),
        *(line(1800.2, Kind.DONE, "authorise_payment"), line(1800.5, Kind.DONE, "schedule_shipment")),
        *(line(1800.53, Kind.DONE, "place_order"), line(1800.7, Kind.DONE, "capture_payment")),
        line(1800.7, Kind.COMPLETED),
    ],
    phase="completed",
    ended_at=at(1800.7),
    in_flight=False,
)
"""Half an hour before a breaker, and otherwise as fast as usual."""
every_view = pytest.mark.parametrize(("view", "now"), EVERY.values(), ids=EVERY)


def picture(view: SagaView, now: datetime) -> Element:
    return fromstring(timeline_svg(view, now))


def rects(svg: Element) -> list[Element]:
    return [rect for rect in svg.iter(f"{SVG}rect") if rect.get("class", "").startswith("bar ")]


def shown(view: SagaView, now: datetime, step: str) -> list[tuple[str, float, float]]:
    """The bars of a step: what they say, from when to when, in seconds after the saga began."""

    def seconds(moment: datetime) -> float:
        return round((moment - BEGAN).total_seconds(), 3)

    return [(bar.look.value, seconds(bar.start), seconds(bar.end)) for bar in bars_of(view, now) if bar.step == step]


@every_view
def test_bars_of_a_lane_follow_each_other_and_do_not_overlap(view: SagaView, now: datetime) -> None:
    lanes = defaultdict(list)
    for rect in rects(picture(view, now)):
        lanes[rect.get("data-step"), rect.get("y")].append((float(rect.get("x", "")), float(rect.get("width", ""))))
    for lane in lanes.values():
        assert all(width > 0 for _, width in lane)
        assert all(x + width <= behind + 0.11 for (x, width), (behind, _) in pairwise(sorted(lane)))


@every_view
def test_time_runs_to_the_right_and_the_same_moment_has_one_place(view: SagaView, now: datetime) -> None:
    places: dict[datetime, set[float]] = defaultdict(set)
    for rect in rects(picture(view, now)):
        x, width = float(rect.get("x", "")), float(rect.get("width", ""))
        places[datetime.fromisoformat(rect.get("data-start", ""))].add(x)
        places[datetime.fromisoformat(rect.get("data-end", ""))].add(x + width)
    ordered = [places[moment] for moment in sorted(places)]
    assert all(max(each) - min(each) < 0.11 for each in ordered)
    assert all(max(sooner) < min(later) for sooner, later in pairwise(ordered))


@every_view
def test_everything_fits_into_the_picture(view: SagaView, now: datetime) -> None:
    svg = picture(view, now)
    _, _, width, height = map(float, svg.get("viewBox", "").split())
    for rect in rects(svg):
        assert float(rect.get("x", "")) + float(rect.get("width", "")) <= width
        assert float(rect.get("y", "")) + float(rect.get("height", "")) <= height


@every_view
def test_who_does_not_see_it_is_reported_all_of_it(view: SagaView, now: datetime) -> None:
    svg = picture(view, now)
    ids = {element.get("id"): element.text for element in (*svg.iter(f"{SVG}title"), *svg.iter(f"{SVG}desc"))}
    named = svg.get("aria-labelledby", "").split()

    assert svg.get("role") == "img"
    assert len(named) == 2
    assert all(ids[name] for name in named)
    assert all(rect.findtext(f"{SVG}title") for rect in rects(svg))
    assert svg.find(f".//{SVG}script") is None


def test_an_order_that_went_well_after_a_failed_try() -> None:
    assert shown(COMPLETED, at(60), "authorise_payment") == [
        *(("failed", 0.031, 1.05), ("waiting", 1.05, 3.4), ("done", 3.4, 3.62)),
    ]
    assert shown(COMPLETED, at(60), "capture_payment") == [("done", 3.84, 4.02)]


def test_a_refusal_and_what_was_compensated() -> None:
    assert shown(COMPENSATED, at(60), "schedule_shipment") == [("refused", 0.21, 0.4)]
    assert shown(COMPENSATED, at(60), "reserve_stock") == [("done", 0, 0.03), ("compensated", 1.5, 1.6)]
    assert shown(COMPENSATED, at(60), "authorise_payment") == [
        *(("done", 0.03, 0.21), ("compensation failed", 0.4, 1.5)),
        *(("waiting", 1.5, 4.1), ("compensated", 4.1, 4.4)),
    ]


def test_what_is_parked_is_so_until_now() -> None:
    *_, last_try, parked_bar = shown(parked(tries=2), at(4000), "capture_payment")
    assert (last_try[0], parked_bar) == ("failed", ("parked", last_try[2], 4000))


def test_what_is_parked_is_so_until_somebody_resumes_it() -> None:
    resumed = [
        *(line(0, Kind.STARTED), line(1, Kind.FAILED, "capture_payment"), line(1, Kind.PARKED, "capture_payment")),
        *(line(9, Kind.RESUMED), line(9, Kind.SENT), line(10, Kind.DONE, "capture_payment")),
    ]
    view = saga_view_of(resumed, phase="completed", ended_at=at(10), in_flight=False)
    assert shown(view, at(60), "capture_payment") == [("failed", 0, 1), ("parked", 1, 9), ("done", 9, 10)]


def test_what_is_under_way_is_read_off_the_ledgers() -> None:
    assert shown(RUNNING, at(33), "authorise_payment") == [("waiting", 0.5, 30.7), ("done", 30.7, 31.2)]
    assert shown(RUNNING, at(33), "schedule_shipment") == [("under way", 31.2, 33)]


def test_a_wait_is_shown_to_its_planned_end_and_now_is_within_it() -> None:
    svg = picture(RETRYING, at(3))
    [line_] = [group for group in svg.iter(f"{SVG}g") if group.get("class") == "now-line"]
    now = float(line_[1].get("x1", ""))
    [wait] = [rect for rect in rects(svg) if rect.get("class") == "bar waiting"]

    assert shown(RETRYING, at(3), "authorise_payment")[-1] == ("waiting", 1.5, 6)
    assert float(wait.get("x", "")) < now < float(wait.get("x", "")) + float(wait.get("width", ""))


@pytest.mark.parametrize(
    ("view", "lines"), [(COMPLETED, {"pivot-line"}), (COMPENSATED, set()), (RUNNING, {"now-line"})]
)
def test_there_is_a_pivot_line_when_it_is_done_and_a_now_line_until_the_end(view: SagaView, lines: set[str]) -> None:
    svg = picture(view, at(60))
    assert {group.get("class") for group in svg.iter(f"{SVG}g")} == lines
    assert svg.find(f"{SVG}line[@class='pivot-lane']") is not None


def test_what_others_wrote_is_text_and_nothing_else() -> None:
    message = "</svg><script>alert(1)</script> & \x01"
    view = saga_view_of([line(0, Kind.STARTED), line(1, Kind.FAILED, "reserve_stock", message=message)], due_at=at(9))
    svg = picture(view, at(2))

    assert svg.find(f".//{SVG}script") is None
    assert rects(svg)[0].findtext(f"{SVG}title", "").endswith(r"</svg><script>alert(1)</script> & \x01")


def test_a_try_of_no_length_can_still_be_seen() -> None:
    view = saga_view_of([line(0, Kind.STARTED), line(0, Kind.FAILED, "reserve_stock")], in_flight=False, due_at=at(9))
    failed, waiting = bars_of(view, at(2))
    assert (failed.look, failed.end - failed.start) == (Look.FAILED, timedelta(milliseconds=1))
    assert waiting.start == failed.end


def test_half_an_hour_of_waiting_leaves_the_other_steps_their_width() -> None:
    svg = picture(WAITED, at(1900))
    widths = {(rect.get("data-step"), rect.get("class")): float(rect.get("width", "")) for rect in rects(svg)}
    plot = float(svg.get("width", "")) - LABELS - RIGHT
    wait = widths["authorise_payment", "bar waiting"]

    assert plot / 4 < wait < plot * 0.6
    assert min(widths.values()) > plot / 50
    assert widths["schedule_shipment", "bar done"] > widths["reserve_stock", "bar done"], "longer is wider"


@every_view
@pytest.mark.parametrize("columns", [60, 80, 200])
def test_in_a_terminal_each_bar_has_a_line_within_its_columns(view: SagaView, now: datetime, columns: int) -> None:
    lines = list(timeline_lines(view, now, columns=columns))
    bars = bars_of(view, now)
    assert all(len(line) <= columns for line in lines)
    assert len(lines) >= len(bars)
    for bar in bars:
        assert any(bar.look.value[:10] in line for line in lines) or columns == 60


def test_a_terminal_shows_when_what_happened() -> None:
    assert list(timeline_lines(WAITED, at(1900), columns=88)) == [
        "reserve_stock       ██                          done, 30 ms from 14:02:11.000",
        "authorise_payment       ············            waiting, 29 min 59 s from 14:02:11.100 u",
        "                                    ███         done, 200 ms from 14:32:11.000",
        "schedule_shipment                      ███      done, 300 ms from 14:32:11.200",
        "place_order (pivot)                       ██    done, 30 ms from 14:32:11.500",
        "capture_payment                             ███ done, 170 ms from 14:32:11.530",
        "                    2026-03-01 14:02:11.000 + 30 min",
    ]


def test_skipped_step_is_shown_as_skipped() -> None:
    view = saga_view_of(
        [line(0, Kind.STARTED), line(0.03, Kind.DONE, "reserve_stock")], progress={"skipped": ["authorise_payment"]}
    )
    texts = [text.text for text in picture(view, at(1)).iter(f"{SVG}text")]
    assert texts.count("skipped") == 1
    assert [each.split() for each in timeline_lines(view, at(1), columns=100) if "skipped" in each] == [
        ["authorise_payment", "skipped"]
    ]


def queued(seconds: float, step: str = "reserve_stock") -> Line:
    return line(seconds, Kind.QUEUED, step, resource="order:0198", holder="7f", before=0)


def test_a_wait_for_a_lock_lasts_until_the_step_was_sent_for_the_last_time() -> None:
    log = [
        line(0, Kind.STARTED),
        queued(1),
        line(4, Kind.SENT),
        line(9, Kind.SENT),
        line(9.5, Kind.DONE, "reserve_stock"),
    ]
    view = saga_view_of(log, in_flight=False, due_at=at(60))

    assert shown(view, at(10), "reserve_stock") == [("waiting", 1, 9), ("done", 9, 9.5)]
    [waiting, _] = bars_of(view, at(10))[:2]
    assert waiting.title.endswith("order 0198 is held by saga 7f")


def test_a_wait_for_a_lock_that_lasts_goes_on_although_the_saga_has_asked_again() -> None:
    log = [line(0, Kind.STARTED), queued(1), line(4, Kind.SENT)]
    view = saga_view_of(log, in_flight=False, due_at=at(12), waits=True, waits_for=UUID(int=7))

    assert shown(view, at(10), "reserve_stock") == [("waiting", 1, 12)]
