"""A sandbox carrier whose clock tests can turn."""

from datetime import UTC, datetime, timedelta

import pytest

from shipping import services
from shipping.carriers.sandbox.carrier import SandboxCarrier


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)
        self.slept = 0.0

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def carrier(clock: Clock) -> SandboxCarrier:
    return SandboxCarrier(timeout=timedelta(seconds=1), sleep=clock.sleep, now=clock.now)


@pytest.fixture
def at_the_carrier(carrier: SandboxCarrier, monkeypatch: pytest.MonkeyPatch) -> SandboxCarrier:
    """The same carrier, with the shipping service talking to it."""
    monkeypatch.setattr(services, "carrier", lambda: carrier)
    return carrier
