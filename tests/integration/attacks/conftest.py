"""Fixtures of the attacks: participants with breakers of their own."""

from dataclasses import replace
from uuid import uuid4

import pytest
from django.conf import settings as django_settings

from orchestration.participant.breaker import Breaker
from orchestration.participant.breaker_redis import connect
from orchestration.participant.participant import Participant
from payments import tasks as payments_tasks
from shipping import tasks as shipping_tasks
from tests.support.external import external_commands


def _with_own_breaker(participant: Participant) -> Participant:
    outside = external_commands(participant)
    [counts] = {work.breaker.counts for work in outside.values()}
    breaker = Breaker(
        f"attack.{uuid4().hex}", redis=lambda: connect(django_settings.REDIS_URL), counts=counts, fail_max=3
    )
    return replace(
        participant,
        commands={contract: replace(work, breaker=breaker) for contract, work in outside.items()},
    )


@pytest.fixture
def payments() -> Participant:
    """Payments with a breaker of its own, which opens after three failures in a row."""
    return _with_own_breaker(payments_tasks.participant)


@pytest.fixture
def shipping() -> Participant:
    """Shipping with a breaker of its own, which opens after three failures in a row."""
    return _with_own_breaker(shipping_tasks.participant)
