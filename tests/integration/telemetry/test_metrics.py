"""`/metrics`: what stands in the tables, at the broker and in Redis; one source's mishap is not the others'."""

from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from orchestration.messaging.topology import Topology
from orchestration.models import AuditFinding, AuditRun, SagaInstance
from orchestration.participant import breaker_redis
from orchestration.participant.breaker_registry import in_use
from orchestration.telemetry import gauge_sources, redis_counts
from orchestration.telemetry.gauge_definitions import GAUGES
from orchestration.telemetry.metric_definitions import COUNTED
from payments.models import Hold, Payment, Turn
from tests.support.broker import purge_queues
from tests.support.plans import by_indexes

pytestmark = pytest.mark.usefixtures("workforce")

TOKEN = "s3cret"


def scraped(**sent: Any) -> dict[str, dict[tuple[str, ...], float]]:
    """Every sample, by name and by the values of its labels in the order of their names."""
    text = Client().get("/metrics", **sent).content.decode()
    samples = chain.from_iterable(family.samples for family in text_string_to_metric_families(text))
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for sample in samples:
        found.setdefault(sample.name, {})[tuple(value for _, value in sorted(sample.labels.items()))] = sample.value
    return found


def change(saga_id: Any, **columns: Any) -> None:
    SagaInstance.objects.filter(pk=saga_id).update(**columns)


def test_unfinished_sagas_are_counted_by_phase_and_those_that_ended_are_not(shop):
    running, parked, ended = shop.place(), shop.place(), shop.place()
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    change(running, created_at=hour_ago)
    change(parked, phase="compensating", parked=True, in_flight=False, due_at=None)
    change(ended, phase="completed", ended_at=datetime.now(UTC), due_at=None)
    found = scraped()
    assert found["saga_unfinished"][("checkout.v2", "running")] == 1
    assert found["saga_unfinished"][("checkout.v2", "compensating")] == 1
    assert found["saga_unfinished"][("checkout.v2", "finishing")] == 0
    assert found["saga_parked"][("checkout.v2", "compensating")] == 1
    assert found["saga_compensation_blocked"][("checkout.v2",)] == 1
    assert 3600 <= found["saga_oldest_unfinished_seconds"][("checkout.v2", "running")] < 3700
    assert found["saga_overdue_seconds"] == {(): 0}


def test_a_saga_that_waits_for_its_next_try_is_retrying_and_overdue_when_nobody_comes(shop):
    change(shop.place(), in_flight=False, due_at=datetime.now(UTC) - timedelta(seconds=90))
    found = scraped()
    assert found["saga_retrying"][("checkout.v2", "running")] == 1
    assert 90 <= found["saga_overdue_seconds"][()] < 100


def test_a_paused_saga_is_not_retrying(shop):
    change(shop.place(), paused=True, in_flight=False, due_at=None)
    found = scraped()
    assert found["saga_paused"][("checkout.v2", "running")] == 1
    assert found["saga_retrying"][("checkout.v2", "running")] == 0


def test_money_of_sagas_that_have_not_ended_is_in_limbo(shop):
    open_one, captured, ended = shop.place(), shop.place(), shop.place()
    change(ended, phase="completed", ended_at=datetime.now(UTC), due_at=None)
    for saga_id, status, currency in (
        (open_one, "authorised", "GBP"),
        (captured, "captured", "EUR"),
        (ended, "captured", "GBP"),
    ):
        Payment.objects.create(
            saga_id=saga_id, order_id=saga_id, amount_minor=700, currency=currency, status=status,
            authorisation_id=str(saga_id), capture_id=str(saga_id) if status == "captured" else None,
            captured_minor=700 if status == "captured" else 0, refunded_minor=200 if status == "captured" else 0,
        )  # fmt: skip
    assert scraped()["saga_money_in_limbo_minor"] == {("GBP", "authorised"): 700, ("EUR", "captured"): 500}


def test_queues_breakers_and_dead_letters_are_there(shop, settings, breaker_of_payments):
    purge_queues()
    shop.place()
    found = scraped()
    inventory, orders = settings.TOPOLOGY.name("inventory"), settings.TOPOLOGY.name("orders")
    assert (found["saga_queue_messages"][(inventory,)], found["saga_queue_messages"][(orders,)]) == (1, 0)
    assert found["saga_queue_consumers"][(inventory,)] == 0
    assert found["saga_dead_letters"] == {(): 0}
    states = {state: found["saga_breaker_state"][(breaker_of_payments.name, state)] for state in ("closed", "open")}
    assert states == {"closed": 1, "open": 0}


@pytest.fixture
def breaker_of_payments():
    return next(each for name, each in in_use().items() if "payments" in name)


def test_sources_that_are_away_are_named_and_the_others_are_there(shop, settings, monkeypatch):
    away = breaker_redis.connect("redis://127.0.0.1:1/0")
    monkeypatch.setattr(redis_counts, "_redis", lambda: away)
    found = scraped()
    assert found["saga_metrics_source_up"] == {
        ("sagas",): 1, ("locks",): 1, ("money",): 1, ("queues",): 1, ("breakers",): 1, ("audit",): 1, ("counts",): 0,
    }  # fmt: skip
    assert "saga_unfinished" in found
    assert "saga_started_total" not in found


def test_what_audits_see_and_how_the_last_one_ended_is_reported(db):
    long_ago = datetime.now(UTC) - timedelta(days=30)
    AuditRun.objects.create(started_at=long_ago, alive_until=long_ago, ended_at=long_ago, is_running=False, ok=False)
    seen = {"invariant": "Q2", "first_seen_at": long_ago, "opened_at": long_ago, "last_seen_at": long_ago}
    accepted = {"accepted_by": "ada", "accepted_at": long_ago, "accepted_reason": "an old import"}
    for number, more in enumerate([{}, {}, accepted]):
        AuditFinding.objects.create(fingerprint=f"x{number}", message="no order", **seen, **more)
    found = scraped()
    assert (found["saga_audit_ok"], found["saga_audit_late"]) == ({(): 0}, {(): 1})
    assert found["saga_audit_findings"] == {("false",): 2, ("true",): 1}


def test_what_the_last_audit_could_not_check_is_reported(db):
    at = datetime.now(UTC)
    gaps = [{"invariants": ["A4", "Q4"], "why": "at the gateway"}, "a sentence of an earlier version"]
    ended = {"started_at": at, "alive_until": at, "ended_at": at, "is_running": False, "ok": True}
    AuditRun.objects.create(checked={"A4": 2}, not_made=gaps, **ended)
    found = scraped()
    assert found["saga_audit_ok"] == {(): 1}
    assert found["saga_audit_not_checked"] == {("all", "Q4"): 1, ("part", "A4"): 1}


def test_before_the_first_audit_has_ended_its_result_is_not_reported(db):
    found = scraped()
    assert "saga_audit_ok" not in found
    assert found["saga_audit_late"] == {(): 0}


def test_a_queue_that_is_missing_has_no_sample(settings):
    settings.TOPOLOGY = Topology(prefix=f"{settings.TOPOLOGY.prefix}nowhere.", queue_type="classic")
    found = scraped()
    assert "saga_queue_messages" not in found
    assert found["saga_metrics_source_up"][("queues",)] == 1


def test_every_metric_is_declared_with_its_labels_and_every_declared_one_is_there():
    text = Client().get("/metrics").content.decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    declared = COUNTED | GAUGES
    assert {name.removesuffix("_total") for name in declared} == families.keys()
    for name, metric in declared.items():
        for sample in families[name.removesuffix("_total")].samples:
            assert sample.labels.keys() - {"le"} == set(metric.labels)


def test_a_scrape_asks_few_questions_whatever_there_is(shop, django_assert_max_num_queries):
    for _ in range(5):
        shop.place()
    with django_assert_max_num_queries(1, using="orchestration"):
        gauge_sources.sagas()
    with django_assert_max_num_queries(1, using="orchestration"), django_assert_max_num_queries(1, using="payments"):
        gauge_sources.money()


def test_the_unfinished_are_found_by_their_index(shop):
    shop.place()
    with by_indexes("orchestration"):
        plan = gauge_sources._unfinished_by_phase().explain()
    assert "saga_unfinished" in plan


@pytest.mark.parametrize(
    ("sent", "token", "status"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, "", 200),
        ({"REMOTE_ADDR": "::ffff:127.0.0.1"}, "", 200),
        ({"REMOTE_ADDR": "10.0.0.7"}, "", 403),
        ({"REMOTE_ADDR": ""}, "", 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.9"}, "", 403),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_FORWARDED": "for=203.0.113.9"}, TOKEN, 401),
        ({"REMOTE_ADDR": "10.0.0.7"}, TOKEN, 401),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": f"Bearer {TOKEN}"}, TOKEN, 200),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer guessed"}, TOKEN, 401),
        ({"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer "}, "", 403),
    ],
)
def test_metrics_are_for_who_is_near_or_has_the_token(settings, sent: dict[str, Any], token: str, status: int):
    settings.METRICS_TOKEN = token
    assert Client().get("/metrics", **sent).status_code == status


def test_metrics_cannot_be_posted():
    assert Client().post("/metrics").status_code == 405


def test_locks_are_counted_by_name_and_the_oldest_is_timed(db):
    earlier = datetime.now(UTC) - timedelta(minutes=20)
    for number in range(2):
        Hold.objects.create(resource=f"wallet:{number}", saga_id=uuid4(), step="take", fence=number, since=earlier)
    Turn.objects.create(resource="wallet:0", saga_id=uuid4(), step="take")
    found = scraped()
    assert found["saga_locks_held"][("wallet", "payments")] == 2
    assert found["saga_lock_turns"][("wallet", "payments")] == 1
    assert 1200 <= found["saga_lock_held_oldest_seconds"][("wallet", "payments")] < 1300
    assert found["saga_locks_held"][("order", "orders")] == 0, "a lock that no saga holds"
