"""Mutants keep up with the code, and only a test that failed by itself counts as one that caught a mutant."""

import ast
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.mutants.catalogue import mutants, sample_of
from tests.mutants.trial import ROOT, Mutant, Verdict, problem_of, run, try_out

SAMPLE = 2
LIMIT_SECONDS = 180

SPARE = "-p no:" + " -p no:".join(("django", "hypothesispytest", "schemathesis", "xdist", "xdist.looponfail", "anyio"))
"""Plugins that the small project below does without: it starts sooner."""

RULE = "def may_sell(left: int) -> bool:\n    return left > 0\n"
TESTS = """
import time

import pytest

from rule import may_sell


def test_nothing_is_sold_that_is_not_there():
    assert not may_sell(0)


def test_that_ends_only_with_the_rule():
    while may_sell(0):
        time.sleep(0.01)


def test_of_something_else():
    assert True


@pytest.mark.skip(reason="as an example")
def test_that_is_skipped():
    assert not may_sell(0)


@pytest.fixture
def broken():
    raise LookupError("no server")


def test_that_cannot_begin(broken):
    assert not may_sell(0)


@pytest.fixture
def broken_later():
    yield
    raise LookupError("it is not as it was")


def test_with_a_broken_end(broken_later):
    assert not may_sell(0)


def test_with_only_a_broken_end(broken_later):
    assert True
"""
MUTANT = Mutant(
    breaks="what is not there is sold",
    file="rule.py",
    old="left > 0",
    new="left >= 0",
    caught_by="test_rule.py::test_nothing_is_sold_that_is_not_there",
)


@pytest.fixture
def small(tmp_path):
    """A project of one rule and its tests, with a time limit of a second for each."""
    root = tmp_path / "small"
    root.mkdir()
    (root / "rule.py").write_text(RULE)
    (root / "test_rule.py").write_text(TESTS)
    (root / "test_absent.py").write_text("import absent\n\n\ndef test_nothing():\n    assert True\n")
    (root / "pytest.ini").write_text(f"[pytest]\ntimeout = 1\naddopts = {SPARE}\n")
    return root


@pytest.mark.processes
@pytest.mark.parametrize("test", ["test_nothing_is_sold_that_is_not_there", "test_with_a_broken_end"])
def test_a_mutant_is_caught_by_the_test_of_its_rule(small, test):
    assert try_out(replace(MUTANT, caught_by=f"test_rule.py::{test}"), small) == Verdict.CAUGHT


@pytest.mark.processes
@pytest.mark.parametrize(
    ("test", "verdict"),
    [
        ("test_rule.py::test_of_something_else", Verdict.SURVIVED),
        ("test_rule.py::test_that_ends_only_with_the_rule", Verdict.TOO_LONG),
        ("test_rule.py::test_that_is_skipped", Verdict.NO_TEST),
        ("test_rule.py::test_that_cannot_begin", Verdict.NO_TEST),
        ("test_rule.py::test_with_only_a_broken_end", Verdict.NO_TEST),
        ("test_rule.py::test_that_is_not_there", Verdict.NO_TEST),
        ("test_absent.py::test_nothing", Verdict.NO_TEST),
    ],
)
def test_nothing_else_catches_it(small, test, verdict):
    assert try_out(replace(MUTANT, caught_by=test), small) == verdict


@pytest.mark.processes
def test_a_run_that_does_not_end_has_caught_nothing(small):
    (small / "pytest.ini").write_text(f"[pytest]\naddopts = {SPARE}\n")
    endless = replace(MUTANT, caught_by="test_rule.py::test_that_ends_only_with_the_rule")
    assert try_out(endless, small, limit_seconds=3) == Verdict.TOO_LONG


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (replace(MUTANT, old="left > 7"), "what it changes is 0 times in rule.py"),
        (replace(MUTANT, old="left"), "what it changes is 2 times in rule.py"),
        (replace(MUTANT, new=MUTANT.old), "it changes nothing"),
        (replace(MUTANT, new="left >"), "what it makes of rule.py is not Python: invalid syntax (rule.py, line 2)"),
    ],
)
def test_a_mutant_that_cannot_be_applied_has_caught_nothing(small, broken, problem):
    assert problem_of(broken, small) == problem
    assert try_out(broken, small) == Verdict.NOT_THERE


@pytest.mark.processes
def test_tests_of_code_as_it_is_have_caught_nothing(small):
    assert run(small, [MUTANT.caught_by]) == Verdict.SURVIVED


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.breaks)
def test_a_listed_mutant_can_be_applied(mutant):
    assert problem_of(mutant) is None


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.breaks)
def test_the_test_of_a_listed_mutant_is_there_and_runs(mutant):
    file, _, name = mutant.caught_by.partition("::")
    tests = {each.name: each for each in ast.parse((ROOT / file).read_text()).body if isinstance(each, ast.FunctionDef)}
    marks = " ".join(ast.unparse(each) for each in tests[name].decorator_list)
    assert "skip" not in marks
    assert "xfail" not in marks


def test_every_mutant_breaks_something_else():
    assert len({mutant.breaks for mutant in mutants()}) == len(mutants()) >= 25


def test_every_mutant_has_its_day_and_no_test_has_two():
    days = [date(2026, 1, 1) + timedelta(days) for days in range(1200)]
    assert {len({mutant.caught_by for mutant in sample_of(day, SAMPLE)}) for day in days} == {SAMPLE}
    assert {mutant.breaks for day in days for mutant in sample_of(day, SAMPLE)} == {each.breaks for each in mutants()}


@pytest.mark.processes
@pytest.mark.timeout(2 * SAMPLE * LIMIT_SECONDS)
def test_the_mutants_of_the_day_are_caught():
    sample = sample_of(datetime.now(UTC).date(), SAMPLE)
    assert {each.breaks: try_out(each, limit_seconds=LIMIT_SECONDS) for each in sample} == {
        each.breaks: Verdict.CAUGHT for each in sample
    }
