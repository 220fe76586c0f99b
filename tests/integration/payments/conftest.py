"""A sandbox gateway whose clock tests can turn."""

from datetime import timedelta

import pytest

from payments import services
from payments.gateways.sandbox.gateway import SandboxGateway
from tests.support.clock import Clock


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
