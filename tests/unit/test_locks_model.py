"""The model of locks finds nothing wrong with the protocol, and each broken rule."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).parents[2] / "docs" / "models" / "locks_model.py"
SPEC = spec_from_file_location("locks_model", FILE)
assert SPEC is not None
assert SPEC.loader is not None
model: Any = module_from_spec(SPEC)
sys.modules["locks_model"] = model  # its dataclasses look themselves up there
SPEC.loader.exec_module(model)


def checked(programs: str, *, once: bool = False, **options: Any) -> Any:
    run = model.check_after_wipe if once else model.check
    return run(model.Model(model.programs_of(programs), **options))


@pytest.mark.parametrize(
    ("programs", "options"),
    [
        ("01,10", {}),
        ("01,10", {"once": True}),
        ("01,10", {"once": True, "cancels": True}),
        ("01,10,01", {"most_sent": 1}),
        ("01,12,20", {"most_sent": 1}),
    ],
)
def test_no_state_breaks_a_rule_and_each_can_end(programs: str, options: dict[str, Any]) -> None:
    verdict = checked(programs, **options)
    assert verdict.states > 500
    assert (verdict.violation, verdict.stuck) == ("", 0)


@pytest.mark.parametrize(
    ("mutant", "programs", "finds"),
    [
        ("the edge stays after giving up", "01,10", "is no deadlock"),
        ("a lock is released before the pivot", "012,20", "is no deadlock"),
        ("steps are undone without a bar", "01,10", "undone although its pivot is done"),
        ("a barred saga keeps its turn", "01,10", "has ended, and has lock"),
    ],
)
def test_a_broken_rule_is_found_with_the_moves_that_lead_to_it(mutant: str, programs: str, finds: str) -> None:
    verdict = checked(programs, mutant=mutant)
    assert finds in verdict.violation
    assert " > " in verdict.trace


@pytest.mark.parametrize("mutant", ["no deadlock is looked for", "a waiting saga never asks again"])
def test_without_it_sagas_stand_still(mutant: str) -> None:
    assert checked("01,10", once=True, mutant=mutant).stuck > 0


def test_each_mutant_has_a_test() -> None:
    assert len(model.MUTANTS) == 6
