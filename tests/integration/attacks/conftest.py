"""Fixtures of the attacks: participants with breakers of their own, and real workers for what only they can show."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings as django_settings

from orchestration.participant.breaker import Breaker
from orchestration.participant.breaker_record import connect
from orchestration.participant.participant import Participant
from payments import tasks as payments_tasks
from shipping import tasks as shipping_tasks
from tests.support.broker import declare_queues, delete_queues, purge_queues
from tests.support.processes import Worker
from tests.support.shop import Shop


def _with_own_breaker(participant: Participant) -> Participant:
    [counts] = {work.breaker.counts for work in participant.commands.values()}
    breaker = Breaker(
        f"attack.{uuid4().hex}", redis=lambda: connect(django_settings.REDIS_URL), counts=counts, fail_max=3
    )
    return replace(
        participant,
        commands={contract: replace(work, breaker=breaker) for contract, work in participant.commands.items()},
    )


@pytest.fixture
def payments() -> Participant:
    """Payments with a breaker of its own, which opens after three failures in a row."""
    return _with_own_breaker(payments_tasks.participant)


@pytest.fixture
def shipping() -> Participant:
    """Shipping with a breaker of its own, which opens after three failures in a row."""
    return _with_own_breaker(shipping_tasks.participant)


@pytest.fixture(scope="session")
def queues() -> Iterator[None]:
    """This run's queues on the broker."""
    declare_queues()
    yield
    delete_queues()


@pytest.fixture
def start_worker(transactional_db: None, queues: None, settings) -> Iterator[Callable[..., Worker]]:
    """Start private workers, which end with the test, and soon ask after a message that may be lost."""
    settings.PRESUMED_LOST_AFTER = timedelta(seconds=2)
    settings.MARKER_PERIOD = settings.PRESUMED_LOST_AFTER / 2
    settings.MARKER_HEAD_START = settings.PRESUMED_LOST_AFTER / 3
    started: list[Worker] = []

    def start(*args, **kwargs) -> Worker:
        started.append(Worker(*args, **kwargs))
        return started[-1]

    yield start
    for worker in started:
        worker.stop()
    purge_queues()


@pytest.fixture
def shop(transactional_db: None) -> Shop:
    """A shop with a thousand mugs."""
    shop = Shop()
    shop.stock()
    return shop
