"""The list of mutants keeps up with the code: what each would change is there, and so is the test that catches it."""

import pytest

from tests.mutants.__main__ import ROOT, mutants


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.breaks)
def test_what_a_mutant_changes_is_there_once(mutant):
    assert (ROOT / mutant.file).read_text().count(mutant.old) == 1
    assert mutant.new != mutant.old


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.breaks)
def test_the_test_that_catches_it_is_there(mutant):
    file, _, name = mutant.caught_by.partition("::")
    assert f"def {name}(" in (ROOT / file).read_text()


def test_every_mutant_breaks_something_else():
    assert len({mutant.breaks for mutant in mutants()}) == len(mutants()) >= 25
