"""The mutants in the file mutants.toml."""

import tomllib
from datetime import date
from functools import cache
from pathlib import Path
from random import Random

from tests.mutants.trial import Mutant

MUTANTS = Path(__file__).with_name("mutants.toml")


@cache
def mutants() -> tuple[Mutant, ...]:
    """Return all of them."""
    return tuple(Mutant(**each) for each in tomllib.loads(MUTANTS.read_text())["mutant"])


def sample_of(day: date, size: int) -> list[Mutant]:
    """Return a day's sample, in which each mutant has another test. It is the same for everybody on one day.

    The sweep catches many mutants and takes longest; more than one of those would make a sample slow.
    """
    shuffled = list(mutants())
    Random(day.toordinal()).shuffle(shuffled)
    of_test: dict[str, Mutant] = {}
    for mutant in shuffled:
        of_test.setdefault(mutant.caught_by, mutant)
    return list(of_test.values())[:size]
