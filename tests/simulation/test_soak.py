"""Thousands of sagas with random faults; `make soak` runs a million."""

from datetime import UTC, datetime

from orchestration.engine import deadlocks
from orchestration.participant.lock_store import HeldLock
from orchestration.testing.memory_ledger import Effect, MemoryRows
from orchestration.testing.memory_locks import MemoryLocks
from orchestration.testing.operators import WORDS
from orchestration.testing.soak import SoakResult, soak_one
from orchestration.testing.sweep import simulated
from tests.simulation import checkout, locks

WORLDS = 250
NOON = datetime(2026, 7, 14, 12, tzinfo=UTC)


def soaked(seeds, scenarios=checkout.SCENARIOS) -> SoakResult:
    with simulated():
        return sum((soak_one(scenarios, locks.FAKES, seed) for seed in seeds), SoakResult())


def test_thousands_of_sagas_survive_chance():
    found = soaked(range(WORLDS))

    assert found.broken == []
    assert sum(found.ends.values()) == 12 * WORLDS
    assert set(found.ends) == {"completed", "compensated"}
    assert len(found.happened) >= 12  # kinds of faults
    assert found.happened["settled outside"] > 10
    assert min(found.happened[word.__name__] for word in WORDS) > 10


def test_thousands_of_sagas_with_locks_survive_chance():
    found = soaked(range(WORLDS), locks.SCENARIOS)

    assert found.broken == []
    assert found.happened["deadlock"] > 10
    assert sum(found.ends.values()) > 12 * WORLDS  # victims of deadlocks are tried again


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


def test_a_lock_that_is_given_to_all_is_found(monkeypatch):
    def grant(memory, claims):
        """Hold each resource for the saga that asks last."""
        fence = memory.next_fence()
        return {each.resource: HeldLock(each.resource, each.saga_id, each.step, fence, NOON) for each in claims}

    monkeypatch.setattr(MemoryLocks, "hold", grant)

    assert any("without the lock" in each for each in soaked(range(20), locks.SCENARIOS).broken)


def test_a_lock_that_is_kept_after_the_end_is_found(monkeypatch):
    monkeypatch.setattr(MemoryLocks, "hand_over", lambda *_: {})

    assert any("is held by saga" in each for each in soaked(range(40), locks.SCENARIOS).broken)


def test_a_deadlock_that_is_none_is_found(monkeypatch):
    """Test a search that takes a saga that waits for a deadlock."""
    monkeypatch.setattr(deadlocks, "cycles", lambda edges: list(edges.items()))

    assert any("no deadlock" in each for each in soaked(range(40), locks.SCENARIOS).broken)
