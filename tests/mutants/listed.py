"""The mutants that are listed in the file beside this one."""

import tomllib
from datetime import date
from pathlib import Path
from random import Random

from tests.mutants.trying import Mutant

MUTANTS = Path(__file__).with_name("mutants.toml")


def mutants() -> list[Mutant]:
    """Return all of them."""
    return [Mutant(**each) for each in tomllib.loads(MUTANTS.read_text())["mutant"]]


def sample_of(day: date, size: int) -> list[Mutant]:
    """Return a day's sample: each day has another, and everybody has the same on one day."""
    return Random(day.toordinal()).sample(mutants(), size)
