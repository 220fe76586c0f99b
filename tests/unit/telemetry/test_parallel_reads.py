"""Questions asked at the same time: answers are kept, errors are answers, and nobody waits for what hangs."""

import threading
import time
from datetime import timedelta
from itertools import count

from orchestration.telemetry.parallel_reads import ParallelReads, SourceSilent
from tests.support.wait import wait_for

SOON, LONG, NOT = timedelta(milliseconds=50), timedelta(seconds=60), timedelta(0)


def test_what_a_question_raises_is_its_answer_and_the_others_have_theirs() -> None:
    asked = ParallelReads({"good": lambda: 1, "bad": lambda: 1 // 0}, patience=LONG, kept_for=LONG)
    answers = asked.answers()
    assert answers["good"] == 1
    assert isinstance(answers["bad"], ZeroDivisionError)


def test_answers_are_kept_for_a_while() -> None:
    numbers = count()
    asked = ParallelReads({"number": lambda: next(numbers)}, patience=LONG, kept_for=LONG)
    assert [asked.answers()["number"] for _ in range(3)] == [0, 0, 0]


def test_what_hangs_is_not_waited_for_and_not_asked_twice() -> None:
    begun, let_go = count(), threading.Event()

    def hang() -> int:
        number = next(begun)
        let_go.wait()
        return number

    asked = ParallelReads({"hangs": hang, "quick": lambda: 7}, patience=SOON, kept_for=NOT)
    for _ in range(2):
        answers = asked.answers()
        assert isinstance(answers["hangs"], SourceSilent)
        assert answers["quick"] == 7
    let_go.set()
    first = ParallelReads({"hangs": asked.answers}, patience=LONG, kept_for=NOT).answers()["hangs"]
    assert isinstance(first, dict)
    assert next(begun) == 1


def test_questions_are_asked_at_the_same_time() -> None:
    together = threading.Barrier(2)
    asked = ParallelReads({"one": together.wait, "other": together.wait}, patience=LONG, kept_for=LONG)
    assert sorted(asked.answers().values(), key=str) == [0, 1]


def test_who_asks_again_is_reported_at_once_what_was_known_until_patience_is_over() -> None:
    hangs, let_go = threading.Event(), threading.Event()

    def question() -> str:
        if hangs.is_set():
            let_go.wait()
        return "fine"

    asked = ParallelReads({"it": question}, patience=timedelta(seconds=0.5), kept_for=NOT, answered_within=SOON)
    assert asked.answers() == {"it": "fine"}
    hangs.set()
    began = time.monotonic()
    assert asked.answers() == {"it": "fine"}
    assert time.monotonic() - began < 0.5
    wait_for(lambda: isinstance(asked.answers()["it"], SourceSilent), what="the end of patience")
    let_go.set()
    wait_for(lambda: asked.answers() == {"it": "fine"}, what="an answer")


def test_first_answer_is_waited_for() -> None:
    let_go = threading.Timer(0.2, lambda: None)
    let_go.start()

    def question() -> str:
        let_go.join()
        return "fine"

    asked = ParallelReads({"it": question}, patience=LONG, kept_for=NOT, answered_within=SOON)
    assert asked.answers() == {"it": "fine"}
