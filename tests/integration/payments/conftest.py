"""A sandbox gateway whose clock tests can turn."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings

from orchestration.participant.breaker import Breaker
from orchestration.participant.breaker_redis import connect
from orchestration.participant.participant import Participant
from payments import refund_readings, refunds, services, tasks
from payments.gateways.sandbox.gateway import SandboxGateway
from tests.support.clock import Clock
from tests.support.external import external_commands


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gateway(clock: Clock) -> SandboxGateway:
    return SandboxGateway(timeout=timedelta(seconds=1), sleep=clock.sleep, now=clock.now)


@pytest.fixture
def at_the_gateway(gateway: SandboxGateway, monkeypatch: pytest.MonkeyPatch) -> SandboxGateway:
    """The same gateway, with the payments service talking to it."""
    for module in (services, refunds, refund_readings):
        monkeypatch.setattr(module, "gateway", lambda: gateway)
    return gateway


@pytest.fixture
def participant(at_the_gateway: SandboxGateway) -> Iterator[Participant]:
    """Payments, with a breaker that no other test opens."""
    works = external_commands(tasks.participant)
    [counts] = {work.breaker.counts for work in works.values()}
    breaker = Breaker(f"test.{uuid4().hex}", redis=lambda: connect(settings.REDIS_URL), counts=counts, fail_max=3)
    commands = {contract: replace(work, breaker=breaker) for contract, work in works.items()}
    later = tuple(replace(each, breaker=breaker) for each in tasks.participant.later_outcomes)
    yield replace(tasks.participant, commands={**tasks.participant.commands, **commands}, later_outcomes=later)
    breaker.close()
