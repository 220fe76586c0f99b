"""Payments with its own gateway and breaker, and a service with locks."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connections
from psycopg.pq import PipelineStatus, TransactionStatus

from orchestration.participant.breaker import Breaker
from orchestration.participant.breaker_redis import connect
from orchestration.participant.participant import Participant
from orchestration.testing.clock import Clock
from orchestration.testing.memory_ledger import MemoryRows
from payments import services, tasks
from payments.gateways.port import OUTAGES
from payments.gateways.sandbox.gateway import SandboxGateway
from tests.integration.participant.shelves import Aisle
from tests.integration.participant.unknown_payments import with_all


@pytest.fixture
def breaker(settings) -> Breaker:
    return Breaker(f"test.{uuid4().hex}", redis=lambda: connect(settings.REDIS_URL), counts=OUTAGES, fail_max=3)


@pytest.fixture
def payments(breaker: Breaker, monkeypatch) -> Participant:
    """Payments with a breaker of its own, and a gateway that takes no time."""
    gateway = SandboxGateway(timeout=timedelta(seconds=1), sleep=lambda seconds: None)
    monkeypatch.setattr(services, "gateway", lambda: gateway)
    return with_all(tasks.participant, breaker=breaker)


@pytest.fixture
def connection_as_it_was() -> Iterator[None]:
    """Whatever happened, the connection to inventory's database is good for the next."""
    yield
    raw = connections["inventory"].connection
    if raw is not None:
        assert raw.info.transaction_status == TransactionStatus.IDLE
        assert raw.pgconn.pipeline_status == PipelineStatus.OFF
        assert raw.autocommit


@pytest.fixture(params=["PostgreSQL", "memory"])
def aisle(request: pytest.FixtureRequest) -> Aisle:
    """A service whose ledger and locks are kept in PostgreSQL, and one that keeps them in memory."""
    if request.param == "PostgreSQL":
        return Aisle()
    clock = Clock()
    return Aisle(MemoryRows(clock), clock)
