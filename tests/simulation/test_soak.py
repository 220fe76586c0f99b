"""Thousands of sagas with random faults; `make soak` runs a million."""

from orchestration.testing.memory_ledger import Effect, MemoryRows
from orchestration.testing.operators import WORDS
from orchestration.testing.soak import SoakResult, soak_one
from orchestration.testing.sweep import simulated
from tests.simulation.checkout import FAKES, SCENARIOS

WORLDS = 250


def soaked(seeds) -> SoakResult:
    with simulated():
        return sum((soak_one(SCENARIOS, FAKES, seed) for seed in seeds), SoakResult())


def test_thousands_of_sagas_survive_chance():
    found = soaked(range(WORLDS))

    assert found.broken == []
    assert sum(found.ends.values()) == 12 * WORLDS
    assert set(found.ends) == {"completed", "compensated"}
    assert len(found.happened) >= 12  # kinds of faults
    assert found.happened["settled outside"] > 10
    assert min(found.happened[word.__name__] for word in WORDS) > 10


def test_a_world_is_lived_again_from_its_seed():
    assert soaked([7]) == soaked([7])


def test_effects_that_are_not_taken_back_with_their_ledger_row_are_found(monkeypatch):
    def without_transaction(self, saga_id, step):
        effect = self.effects.get((saga_id, step), Effect())
        self.effects[saga_id, step] = Effect(effect.done + 1, effect.reversed)

    monkeypatch.setattr(MemoryRows, "have_effect", without_transaction)

    assert soaked(range(40)).broken


def test_what_is_broken_is_reported_with_its_seed(monkeypatch):
    monkeypatch.setattr(MemoryRows, "reverse_effect", lambda *_: None)

    broken = soaked(range(20)).broken

    assert broken
    assert all(each.startswith("seed ") for each in broken)
