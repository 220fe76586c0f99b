"""`/healthz` and `/readyz`: what is not ready and why, told to who may know it."""

from typing import Any

import pytest
from django.test import Client

from config import probes, readiness
from orchestration.messaging.topology import Topology
from orchestration.participant.breaker_redis import connect
from tests.support.broker import declare_queues


@pytest.fixture(autouse=True)
def queues(workforce: object) -> None:
    """Also when another test of this process has deleted some."""
    declare_queues()


def ready(path: str = "/readyz", **sent: Any):
    response = Client().get(path, **sent)
    return response.status_code, response.json()


def test_a_shop_that_has_everything_is_ready():
    assert ready() == (200, {"ready": True, "not_ready": {}, "degraded": {}})


def test_what_is_missing_is_named_with_the_reason(settings):
    settings.TOPOLOGY = Topology(prefix=f"{settings.TOPOLOGY.prefix}nowhere.", queue_type="classic")
    status, reported = ready()
    assert status == 503
    assert reported["not_ready"].keys() == {"broker"}
    assert "orchestrator is missing, of 10; run manage.py declare_queues" in reported["not_ready"]["broker"]


def test_a_check_can_be_left_out(settings):
    settings.TOPOLOGY = Topology(prefix=f"{settings.TOPOLOGY.prefix}nowhere.", queue_type="classic")
    assert ready("/readyz?exclude=broker")[0] == 200
    status, reported = ready("/readyz?exclude=brocker")
    assert (status, reported["unknown"]) == (400, ["brocker"])


def test_a_migration_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(readiness, "_migrated", set())
    monkeypatch.setattr(readiness, "_missing_migrations", lambda alias: ["orders.0009_more"] * (alias == "orders"))
    status, reported = ready()
    assert status == 503
    assert "migration orders.0009_more is missing, of 1; run manage.py migrate" in reported["not_ready"]["orders"]


def test_without_redis_a_shop_is_ready_and_degraded(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    status, reported = ready()
    assert (status, reported["not_ready"]) == (200, {})
    assert "circuit breakers stay closed" in reported["degraded"]["redis"]


def test_a_database_that_does_not_answer_is_not_waited_for(monkeypatch):
    import threading
    from datetime import timedelta

    let_go = threading.Event()
    monkeypatch.setattr(probes, "PATIENCE", timedelta(milliseconds=300))
    monkeypatch.setattr(readiness, "check_available", lambda alias: let_go.wait() if alias == "shipping" else None)
    status, reported = ready()
    let_go.set()
    assert status == 503
    assert reported["not_ready"] == {"shipping": "no answer within 0.3 s"}


def test_why_is_not_for_everybody(settings):
    settings.TOPOLOGY = Topology(prefix=f"{settings.TOPOLOGY.prefix}nowhere.", queue_type="classic")
    assert ready(REMOTE_ADDR="203.0.113.9") == (503, {"ready": False})


def test_a_process_that_lacks_everything_is_healthy(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert Client().get("/healthz").status_code == 200


def test_ready_is_checked_once_a_second_at_the_most(monkeypatch):
    asked = []
    monkeypatch.setattr(readiness, "check_available", asked.append)
    for _ in range(3):
        ready()
    assert sorted(asked) == sorted(readiness.ALIASES)


def test_the_redis_of_these_tests_answers(settings):
    assert connect(settings.REDIS_URL).ping()
