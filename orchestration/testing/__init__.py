"""Saga definitions put to the test: the engine, recovery and the participant kit as they are, simulated in memory."""

from orchestration.testing.fakes import Fake
from orchestration.testing.sweep import Sweep, Unsafe, sweep

__all__ = ("Fake", "Sweep", "Unsafe", "sweep")
