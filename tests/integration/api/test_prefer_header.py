"""The `Prefer` header, and waiting as it asks."""

from datetime import timedelta

import pytest
from django.test import RequestFactory
from rest_framework.request import Request

from orchestration.api.polling import wait_for
from orchestration.api.prefer_header import preferred_wait


def seconds(header: str) -> float:
    request = Request(RequestFactory().post("/", headers={"Prefer": header}))
    return preferred_wait(request).total_seconds()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("wait=3", 3),
        ("Wait=3", 3),
        ("wait = 3", 3),
        ('wait="3"', 3),
        ("respond-async, wait=3", 3),
        ("wait=3; why=hurry, respond-async", 3),
        ('note="a, wait=9", wait=3', 3),
        ("wait=3, wait=5", 3),
        ("wait=10", 10),
        ("wait=11", 10),
        ("wait=99999999999999999999", 10),
        ("wait=0", 0),
        ("wait", 0),
        ("wait=", 0),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("wait=soon", 0),
        ("wait=³", 0),
        ("waiting=3", 0),
        ("return=minimal", 0),
        (',,=,;"', 0),
        ("", 0),
    ],
)
def test_wait_is_read_and_nonsense_is_ignored(header: str, expected: float) -> None:
    assert seconds(header) == expected


def test_hostile_header_is_read_in_no_time() -> None:
    assert seconds('"\\' * 4_000) == 0


class Clock:
    """Time that passes only while somebody pauses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def pause(self, span: float) -> None:
        self.pauses.append(span)
        self.now += span


def test_pauses_grow_from_5_to_100_milliseconds_and_end_at_the_deadline() -> None:
    clock = Clock()
    assert wait_for(lambda: None, timedelta(seconds=1), clock=clock, pause=clock.pause) is None
    assert [round(pause * 1000) for pause in clock.pauses[:6]] == [5, 10, 20, 40, 80, 100]
    assert max(clock.pauses) == 0.1
    assert clock.now == pytest.approx(1)


def test_what_is_there_already_costs_no_pause() -> None:
    clock = Clock()
    assert wait_for(lambda: "seen", timedelta(seconds=1), clock=clock, pause=clock.pause) == "seen"
    assert clock.pauses == []


def test_last_look_is_at_the_deadline() -> None:
    clock = Clock()
    seen = wait_for(lambda: clock.now >= 1 or None, timedelta(seconds=1), clock=clock, pause=clock.pause)
    assert seen is True
