"""From what happened to figures, and from rounds to medians."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from deploy.bench.cost import Spent
from deploy.bench.figures import Figures, figures, medians, percentile
from deploy.bench.load import LoadEvents
from deploy.bench.records import EventKind, Record

BEGIN, END = 100.0, 110.0


def happened(*orders: tuple[float, float, EventKind], spent: Spent | None = None) -> LoadEvents:
    """Orders as (due, ended, how)."""
    found = LoadEvents(
        begin=BEGIN, end=END, spent=spent or Spent({"workers": 0.5, "driver": 0.1, "others": 3.0}, commits=40)
    )
    for due, ended, what in orders:
        order = uuid4()
        found.due[order] = due
        found.learn([Record(order, what, ended)])
    return found


def some(**changes: Any) -> Figures:
    return replace(figures(happened((101.0, 101.5, EventKind.COMPLETED))), **changes)


def test_only_orders_that_end_between_begin_and_end_count() -> None:
    counted = figures(
        happened(
            (99.0, 99.9, EventKind.COMPLETED), (99.0, 100.0, EventKind.COMPLETED), (109.0, 110.0, EventKind.COMPLETED)
        )
    )
    assert counted.orders == 1
    assert counted.orders_per_second == pytest.approx(0.1)


def test_latency_counts_from_when_an_order_was_due_and_only_of_completed_ones() -> None:
    counted = figures(
        happened(
            (101.0, 101.25, EventKind.COMPLETED),
            (101.0, 109.0, EventKind.COMPENSATED),
            (101.0, 109.0, EventKind.UNDECIDED),
        )
    )
    assert counted.p50_ms == counted.p99_ms == pytest.approx(250.0)
    assert counted.ends == {"completed": 1, "compensated": 1, "undecided": 1}


def test_an_order_of_which_nobody_said_the_outcome_is_not_an_order_placed() -> None:
    assert figures(happened((101.0, 102.0, EventKind.UNDECIDED))).orders == 0


def test_cost_is_shared_by_the_orders() -> None:
    counted = figures(happened(*[(101.0, 102.0, EventKind.COMPLETED)] * 10))
    assert counted.cpu_ms_per_order == pytest.approx(60.0)
    assert counted.cpu_ms_per_order_by_part == pytest.approx({"workers": 50.0, "driver": 10.0})
    assert counted.commits_per_order == pytest.approx(4.0)


def test_what_else_ran_is_reported_and_not_charged_to_the_orders() -> None:
    counted = figures(happened((101.0, 102.0, EventKind.COMPLETED)))
    assert counted.cores_of_others == pytest.approx(0.3)
    assert "others" not in (counted.cpu_ms_per_order_by_part or {})


def test_nothing_ended_has_no_figures_but_can_be_shown() -> None:
    counted = figures(happened())
    assert counted.orders == 0
    assert (counted.p50_ms, counted.cpu_ms_per_order, counted.commits_per_order) == (None, None, None)


def test_an_order_without_an_end_is_reported_of() -> None:
    found = happened((101.0, 102.0, EventKind.COMPLETED))
    found.due[uuid4()] = 103.0
    assert figures(found).unfinished == 1


def test_an_end_said_twice_is_one_end() -> None:
    found, order = happened(), uuid4()
    found.due[order] = 101.0
    first, second = (Record(order, EventKind.COMPLETED, at) for at in (102.0, 103.0))
    assert (found.learn([first, second]), found.learn([second])) == (1, 0)
    assert found.ends[order] == first


def test_an_order_that_another_process_started_is_known_by_its_record() -> None:
    found, order = happened(), uuid4()
    assert found.learn([Record(order, EventKind.STARTED, 101.0)]) == 0
    assert found.unfinished() == 1
    found.learn([Record(order, EventKind.COMPLETED, 101.5)])
    assert figures(found).p50_ms == pytest.approx(500.0)


@pytest.mark.parametrize(
    ("percent", "value"), [(1, 1.0), (50, 50.0), (95, 95.0), (99, 99.0), (100, 100.0)], ids=lambda each: f"{each}"
)
def test_percentiles_are_nearest_rank(percent: float, value: float) -> None:
    assert percentile([float(number) for number in range(1, 101)], percent) == value


@pytest.mark.parametrize(("ordered", "value"), [([], None), ([7.0], 7.0)])
def test_percentiles_of_few(ordered: list[float], value: float | None) -> None:
    assert percentile(ordered, 99) == value


def test_rounds_have_the_median_of_each_figure() -> None:
    rounds = [some(orders_per_second=rate, p50_ms=p50) for rate, p50 in ((10.0, 3.0), (30.0, None), (20.0, 9.0))]
    found = medians(rounds)
    assert found.orders_per_second == 20.0
    assert found.p50_ms == 6.0
    assert found.orders == 3
    assert found.ends == {"completed": 3}


def test_a_part_that_is_missing_in_a_round_cost_nothing_there() -> None:
    parts: list[Mapping[str, float]] = [{"workers": 2.0}, {"workers": 4.0, "web": 2.0}]
    found = medians([some(cpu_ms_per_order_by_part=each) for each in parts])
    assert found.cpu_ms_per_order_by_part == {"workers": 3.0, "web": 1.0}


def test_figures_can_be_read_back_from_their_json() -> None:
    assert Figures(**some().as_json()).as_json() == some().as_json()
