"""`manage.py doctor`: all is well, or a line says what is not and what to do; and one source down hides no other."""

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import current_app
from django.core.management import call_command
from django.core.management.base import CommandError

from config import env
from config.doctor import broker, databases, sagas, workers
from config.readiness import CHECKS
from orchestration.messaging.topology import Depth
from orchestration.messaging.worker_ping import Present
from orchestration.models import SagaInstance
from orchestration.operators.insight.breakers import breakers
from orchestration.operators.insight.sources import Unavailable
from tests.integration.admin.situations import Situations
from tests.support.workforce import Workforce

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

Lines = dict[str, tuple[str, str]]


@pytest.fixture(autouse=True)
def queues(workforce: Workforce) -> None:
    """They are declared."""


@pytest.fixture
def examined(capsys: pytest.CaptureFixture[str]) -> Callable[[], Lines]:
    """Verdict and what was seen, by what was looked at; the exit code says whether any of it failed."""

    def examine() -> Lines:
        capsys.readouterr()
        code = 0
        try:
            call_command("doctor", "--format", "json")
        except CommandError as error:
            code = error.returncode
        lines = json.loads(capsys.readouterr().out)
        assert code == int("fail" in [line["verdict"] for line in lines])
        return {line["what"]: (line["verdict"], line["seen"]) for line in lines}

    return examine


@pytest.fixture
def somebody_works(monkeypatch: pytest.MonkeyPatch, settings: Any) -> dict[str, Depth]:
    """Every queue has a consumer, a worker answers, and nothing is armed for tests."""
    settings.FAULT_POINTS = False
    depths = {queue.name: Depth(0, 1) for queue in settings.TOPOLOGY.queues}
    depths[settings.TOPOLOGY.dead_letter_queue.name] = Depth(0, 0)
    monkeypatch.setattr(broker, "at_the_broker", lambda question: (depths, {}))
    monkeypatch.setattr(workers, "present", lambda: [Present("one@here", ("payments",), timedelta(0))])
    return depths


def test_a_healthy_shop_has_nothing_that_fails(examined: Callable[[], Lines], somebody_works: dict[str, Depth]) -> None:
    lines = examined()
    assert [what for what, (verdict, _) in lines.items() if verdict == "fail"] == []
    for what in ("database orders", "clocks of databases", "broker", "queues", "dead letters", "Redis", "workers"):
        assert lines[what][0] == "ok"


def test_nobody_at_work_is_said_with_what_to_do(examined: Callable[[], Lines], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "present", list)
    monkeypatch.setattr(broker, "at_the_broker", lambda question: ({"payments": Depth(7, 0)}, {}))
    lines = examined()
    assert lines["queue payments"] == ("fail", "no consumer, 7 messages waiting")
    assert lines["workers"] == ("fail", "no worker answers")


def test_clocks_that_differ_fail(
    examined: Callable[[], Lines], somebody_works: dict[str, Depth], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = Present("late@there", ("payments",), -timedelta(seconds=9))
    monkeypatch.setattr(workers, "present", lambda: [late])
    monkeypatch.setattr(databases, "_ahead", lambda alias: timedelta(seconds=5 if alias == "orders" else 0))
    lines = examined()
    assert lines["clock of late@there"] == ("fail", "-9.0 s beside this host's")
    assert lines["clock of database orders"] == ("fail", "+5.0 s beside this host's")


def test_a_source_that_is_down_hides_no_other(
    examined: Callable[[], Lines], somebody_works: dict[str, Depth], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "at_the_broker", lambda question: Unavailable("RabbitMQ does not answer: refused"))
    monkeypatch.setitem(CHECKS, "redis", lambda: "Redis does not answer")  # type: ignore[arg-type]
    monkeypatch.setitem(CHECKS, "payments", lambda: "database payments is away")  # type: ignore[arg-type]
    lines = examined()
    assert lines["broker"][0] == lines["database payments"][0] == "fail"
    assert lines["Redis"][0] == "warn"
    assert lines["recovery"][0] == lines["database orders"][0] == "ok"


def test_dead_letters_deep_queues_and_wrong_queues_are_reported(
    examined: Callable[[], Lines], somebody_works: dict[str, Depth], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = settings.TOPOLOGY.name("payments")
    somebody_works[settings.TOPOLOGY.dead_letter_queue.name] = Depth(2, 0)
    somebody_works[name] = Depth(20_000, 1)
    del somebody_works[settings.TOPOLOGY.name("orders")]
    lines = examined()
    assert lines["dead letters"][0] == lines[f"queue {name}"][0] == "warn"
    assert lines[f"queue {settings.TOPOLOGY.name('orders')}"] == ("fail", "missing")


def test_a_queue_with_other_properties_is_found_and_left_as_it_is(settings: Any) -> None:
    topology = settings.TOPOLOGY
    name = topology.name("payments")
    channel: Any
    with current_app.connection_for_write() as connection:
        assert topology.differing(connection) == {}
        with connection.channel() as channel:
            channel.queue_delete(name)
            channel.queue_declare(name, durable=True, auto_delete=False)
        try:
            assert list(topology.differing(connection)) == [name]
        finally:
            with connection.channel() as channel:
                channel.queue_delete(name)
            topology.declare(connection)


def test_late_recovery_parked_and_stuck_sagas_are_reported(
    examined: Callable[[], Lines], somebody_works: dict[str, Depth], situations: Situations, settings: Any
) -> None:
    situations.parked_after_pivot()
    failing = situations.failing()
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    SagaInstance.objects.filter(pk=failing).update(
        due_at=an_hour_ago, created_at=an_hour_ago, changed_at=an_hour_ago, definition="gone.v1"
    )
    SagaInstance.objects.filter(parked=True).update(created_at=an_hour_ago, changed_at=an_hour_ago)
    lines = examined()
    assert lines["recovery"][0] == lines["definitions"][0] == "fail"
    assert lines["parked sagas"] == ("warn", "1")
    assert lines["stuck sagas"] == ("warn", "1 without progress for 5 min, not counting parked ones")


def test_payment_methods_that_no_key_opens_are_counted(
    examined: Callable[[], Lines], somebody_works: dict[str, Depth], situations: Situations
) -> None:
    failing, ended = situations.failing(), situations.completed()
    assert examined()["sealing keys"] == ("ok", "no unfinished saga has failed for a sealing key")
    SagaInstance.objects.filter(pk__in=[failing, ended]).update(last_error="SealBroken")
    seen = "none opens the payment method of unfinished sagas: 1"
    assert examined()["sealing keys"] == ("fail", seen)


def test_connections_that_run_out_fail(
    examined: Callable[[], Lines], somebody_works: dict[str, Depth], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "_used", lambda alias: (90, 97))
    [line] = [seen for what, seen in examined().items() if what.startswith("connections to")]
    assert line[0] == "fail"


def test_what_is_advised_where_no_audit_has_ended_yet_makes_one(
    examined: Callable[[], Lines], somebody_works: dict[str, Depth]
) -> None:
    assert examined()["audit"] == ("warn", "none has finished yet")
    [advised] = [line.do for line in sagas.look() if line.what == "audit"]
    call_command(*advised.removeprefix("manage.py ").split())
    assert examined()["audit"][0] == "ok"


def test_a_breaker_that_is_open_is_named(examined: Callable[[], Lines], somebody_works: dict[str, Depth]) -> None:
    found = breakers()
    assert not isinstance(found, Unavailable)
    assert examined()["breakers"] == ("ok", f"all {len(found)} are closed")
    name = found[0].name
    try:
        call_command("breakers", "open", name, "--for", "10m", "--reason", "they migrate", "--yes")
        lines = examined()
    finally:
        call_command("breakers", "close", name, "--reason", "they are back", "--yes")
    verdict, seen = lines[f"breaker {name}"]
    assert (verdict, seen.startswith("open after")) == ("warn", True)
    assert "breakers" not in lines


def test_databases_that_do_not_answer_are_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts that have vanished are silent, each for as long as a connection may take."""
    over = threading.Event()
    monkeypatch.setattr(databases, "PATIENCE", timedelta(seconds=0.5))
    for alias in ("payments", "shipping", "orders"):
        monkeypatch.setitem(CHECKS, alias, lambda: str(over.wait(10)))  # type: ignore[arg-type]
    began = time.monotonic()

    lines = {line.what: line for line in databases.look()}
    took = time.monotonic() - began
    over.set()

    assert took < 5
    for alias in ("payments", "shipping", "orders"):
        assert (lines[f"database {alias}"].verdict, lines[f"database {alias}"].seen) == (
            "fail",
            "no answer within 0.5 s",
        )
    assert lines["database inventory"].verdict == "ok"
