"""Bounds on what a thread may still wait for."""

import threading

import pytest

from orchestration.db import deadline


def test_without_a_bound_each_wait_has_its_own_limit() -> None:
    assert not deadline.is_set()
    assert deadline.left(7.0) == 7.0


def test_waits_in_a_block_end_with_it() -> None:
    with deadline.within(60):
        assert deadline.is_set()
        assert 59 < deadline.left(100) <= 60
        assert deadline.left(7.0) == 7.0
    assert not deadline.is_set()


def test_an_inner_bound_does_not_outlast_the_outer_one() -> None:
    with deadline.within(1), deadline.within(60):
        assert deadline.left(100) <= 1


def test_a_bound_may_begin_anew() -> None:
    with deadline.within(1), deadline.separate_bound(60):
        assert deadline.left(100) > 59


def test_what_began_anew_takes_nothing_from_the_outer_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("orchestration.db.deadline.time.monotonic", lambda: now[0])
    with deadline.within(2):
        now[0] += 0.5
        with deadline.separate_bound(1):
            now[0] += 0.75
            assert deadline.left(100) == 0.25
        assert deadline.left(100) == 1.5
    assert not deadline.is_set()


def test_nothing_is_left_after_the_end() -> None:
    with deadline.within(0):
        assert deadline.left(100) == 0


def test_other_threads_are_not_bounded() -> None:
    seen = []
    with deadline.within(60):
        thread = threading.Thread(target=lambda: seen.append(deadline.is_set()))
        thread.start()
        thread.join()
    assert seen == [False]
