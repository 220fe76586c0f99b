"""A sandbox carrier whose clock tests can turn."""

from datetime import timedelta

import pytest

from shipping import services
from shipping.carriers.sandbox.carrier import SandboxCarrier
from tests.support.clock import Clock


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
