"""A sandbox gateway whose clock tests can turn."""

from datetime import UTC, datetime, timedelta

import pytest

from payments import services
from payments.gateways.sandbox.gateway import SandboxGateway


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
def gateway(clock: Clock) -> SandboxGateway:
    return SandboxGateway(timeout=timedelta(seconds=1), sleep=clock.sleep, now=clock.now)


@pytest.fixture
def at_the_gateway(gateway: SandboxGateway, monkeypatch: pytest.MonkeyPatch) -> SandboxGateway:
    """The same gateway, with the payments service talking to it."""
    monkeypatch.setattr(services, "gateway", lambda: gateway)
    return gateway
