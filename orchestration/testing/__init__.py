"""Simulates saga definitions in memory, with the real engine, recovery and participant kit."""

from orchestration.testing.fakes import Fake
from orchestration.testing.sweep import Sweep, Unsafe, sweep

__all__ = ("Fake", "Sweep", "Unsafe", "sweep")
