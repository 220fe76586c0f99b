"""`manage.py saga`: what it prints, what it changes, and its exit codes."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections

from config import env
from orchestration import sagas
from orchestration.engine import selectors
from orchestration.management import recovery_rounds
from orchestration.models import ALIAS, SagaInstance
from orchestration.protocol.states import Undo
from orchestration.sagas.refund_order import refund_order
from tests.integration.admin.situations import SECRET, STEPS, TASK_ID, Post, Situations
from tests.support.lock_waits import ORDER_ID, RESOURCE, let_wait, start_refund
from tests.support.shop import NOT_NEEDED, forward_from

pytestmark = pytest.mark.django_db(databases=list(env.ALIASES))
committed = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))
"""For tests that look at what is sent after a commit, or in which services act."""

ROOT = Path(__file__).parents[3]
WHY = ("--reason", "the gateway is back", "--yes")

Saga = Callable[..., Any]


@pytest.fixture
def saga(capsys: pytest.CaptureFixture[str]) -> Saga:
    """Run `manage.py saga … --format json`; what it prints, read."""

    def run(*arguments: object) -> Any:
        capsys.readouterr()
        call_command("saga", *map(str, arguments), "--format", "json")
        return json.loads(capsys.readouterr().out)

    return run


def fails(code: int, saga: Saga, *arguments: object) -> None:
    with pytest.raises(CommandError) as error:
        saga(*arguments)
    assert error.value.returncode == code


def overdue(situations: Situations, count: int = 1) -> list[UUID]:
    """Sagas whose retry is due since a minute."""
    sagas = [situations.failing() for _ in range(count)]
    SagaInstance.objects.filter(pk__in=sagas).update(due_at=datetime.now(UTC) - timedelta(minutes=1))
    return sagas


def test_list_says_where_a_saga_stands(saga: Saga, situations: Situations) -> None:
    saga_id = situations.failing("authorise_payment", tries=3)
    (listed,) = saga("list")
    assert listed["id"] == str(saga_id)
    expected = {"phase": "running", "parked": [], "step": "authorise_payment", "attempts": 3, "failure_code": None}
    assert listed | expected == listed
    assert listed["last_error"] == "GatewayTimeout"
    assert datetime.fromisoformat(listed["created_at"]).tzinfo is not None


def test_list_finds_by_status_step_definition_and_customer(saga: Saga, situations: Situations) -> None:
    failing, parked = situations.failing("schedule_shipment"), situations.parked_after_pivot()
    SagaInstance.objects.filter(pk=parked).update(customer_id="customer-2")

    def ids(*arguments: str) -> list[str]:
        return [found["id"] for found in saga("list", *arguments)]

    assert ids("--status", "parked") == [str(parked)]
    assert ids("--status", "parked", "--status", "retrying") == [str(parked), str(failing)]
    assert ids("--status", "unfinished") == [str(parked), str(failing)]
    assert ids("--step", "schedule_shipment") == [str(failing)]
    assert ids("--customer", "customer-2", "--definition", "checkout.v2") == [str(parked)]
    fails(3, saga, "list", "--customer", "customer-2", "--status", "retrying")


def test_list_shows_the_status_that_it_is_asked_for(
    saga: Saga, situations: Situations, capsys: pytest.CaptureFixture[str]
) -> None:
    situations.every()
    for status in {found["status"] for found in saga("list")}:
        call_command("saga", "list", "--status", status)
        heading, *lines = capsys.readouterr().out.splitlines()
        shown = heading.split().index("status")
        assert {line.split()[shown] for line in lines} == {status}


def test_list_is_cut_at_the_limit_and_says_so(
    saga: Saga, situations: Situations, capsys: pytest.CaptureFixture[str]
) -> None:
    situations.running(age=timedelta(hours=1))
    newest = situations.running()
    assert [found["id"] for found in saga("list", "--limit", 1)] == [str(newest)]
    call_command("saga", "list", "--limit", "1")
    assert "only the newest 1 are listed" in capsys.readouterr().err


def test_nothing_matched_is_an_empty_list_and_code_3(saga: Saga, capsys: pytest.CaptureFixture[str]) -> None:
    fails(3, saga, "list")
    assert json.loads(capsys.readouterr().out) == []


def test_a_table_that_is_no_terminals_is_not_folded(situations: Situations, capsys: pytest.CaptureFixture[str]) -> None:
    saga_id = situations.parked_after_pivot()
    call_command("saga", "list")
    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split()[:4] == ["id", "status", "definition", "phase"]
    cells = line.split()
    assert cells[:7] == [str(saga_id), "parked", "checkout.v2", "finishing", "capture_payment", "capture_payment", "1"]
    assert cells[-1] == "GatewayTimeout"


@committed
def test_show_tells_all_of_a_saga(saga: Saga, situations: Situations) -> None:
    saga_id = situations.parked_after_pivot()
    situations.act(saga_id, *STEPS[:-1])
    shown = saga("show", saga_id)
    assert {step["name"]: step["status"] for step in shown["steps"]} == {
        **dict.fromkeys(NOT_NEEDED, "skipped"),
        **dict.fromkeys(STEPS, "done"),
        "capture_payment": "waiting",
    }
    assert shown["steps"][-1]["last_error"]["task_id"] == TASK_ID
    assert {service: [row["step"] for row in rows] for service, rows in shown["ledgers"].items()} == {
        "inventory": ["reserve_stock"],
        "payments": ["authorise_payment"],
        "shipping": ["schedule_shipment"],
        "orders": ["place_order"],
    }
    assert shown["ledgers"]["payments"][0]["history"] == ["started", "done"]
    assert [entry["kind"] for entry in shown["log"]] == ["started", *["done"] * 4, "pivot_done", "failed", "parked"]


@committed
@pytest.mark.parametrize("form", ["json", "table"])
def test_show_hides_secrets(form: str, situations: Situations, capsys: pytest.CaptureFixture[str]) -> None:
    saga_id = situations.running()
    situations.act(saga_id, *STEPS)
    call_command("saga", "show", str(saga_id), "--format", form)
    printed = capsys.readouterr().out
    assert '"payment_method": "(hidden)"' in printed
    assert situations.shop.saga(saga_id).request["payment_method"] not in printed
    assert SECRET not in printed


def test_show_as_a_table_has_steps_ledgers_and_log(situations: Situations, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("saga", "show", str(situations.failing()))
    printed = capsys.readouterr().out
    for words in ("reserve_stock      inventory  waiting", "GatewayTimeout: no answer within 1 s", "started"):
        assert words in printed


def test_show_tells_what_operators_did(saga: Saga, situations: Situations, capsys: pytest.CaptureFixture[str]) -> None:
    saga_id = situations.parked_after_pivot()
    saga("pause", saga_id, "--reason", "the gateway is ill", "--by", "ada", "--yes")
    saga("unpause", saga_id, "--reason", "it is well", "--by", "bob", "--yes")
    reported = [(each["by"], each["action"], each["reason"]) for each in saga("show", saga_id)["operator_log"]]
    assert reported == [("bob", "unpause", "it is well"), ("ada", "pause", "the gateway is ill")]
    call_command("saga", "show", str(saga_id))
    assert "the gateway is ill" in capsys.readouterr().out


def test_show_tells_of_locks_who_waits_for_whom(
    saga: Saga, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sagas.definitions, refund_order.name, refund_order)
    holder, waiting = start_refund(), start_refund()
    since = let_wait(waiting, holder).waits_since
    assert since is not None

    at = since.isoformat()
    held = {"saga_id": str(holder), "resource": RESOURCE, "step": "open_change", "since": at}
    waiter = {"saga_id": str(waiting), "definition": refund_order.name, "resource": RESOURCE, "since": at}
    assert (saga("show", waiting)["waits_for"], saga("show", waiting)["waiters"]) == (held, [])
    assert (saga("show", holder)["waits_for"], saga("show", holder)["waiters"]) == (None, [waiter])

    call_command("saga", "show", str(waiting))
    assert f"order {ORDER_ID}, held by {holder}" in capsys.readouterr().out
    call_command("saga", "show", str(holder))
    assert f"{waiting}  {refund_order.name}  order {ORDER_ID}" in capsys.readouterr().out


def test_show_of_a_saga_of_an_unknown_definition_tells_no_steps(saga: Saga, situations: Situations) -> None:
    saga_id = situations.running()
    SagaInstance.objects.filter(pk=saga_id).update(definition="checkout.v9")
    shown = saga("show", saga_id)
    assert (shown["steps"], shown["request"]) == (None, "(hidden)")
    call_command("saga", "show", str(saga_id))


def test_show_of_no_saga_is_code_3(saga: Saga) -> None:
    fails(3, saga, "show", uuid4())


@committed
def test_resume_sends_what_is_owed_and_logs_who_and_why(saga: Saga, situations: Situations, post: Post) -> None:
    saga_id = situations.parked_after_pivot()
    post.sent.clear()
    [done] = saga("resume", saga_id, "--by", "ada", *WHY)
    assert (done["id"], done["code"], done["phase"]) == (str(saga_id), "taken", "finishing")
    assert post.sent == [(saga_id, forward_from("capture_payment"))]
    resumed = next(entry for entry in selectors.log_of(saga_id) if entry.kind == "resumed")
    assert resumed.detail == {"by": "ada", "reason": "the gateway is back"}
    assert not situations.shop.saga(saga_id).parked


def test_resume_leaves_an_ended_saga_as_it_is(saga: Saga, situations: Situations) -> None:
    saga_id = situations.completed()
    before = situations.shop.saga(saga_id).version
    fails(5, saga, "resume", saga_id, *WHY)
    assert situations.shop.saga(saga_id).version == before


def test_resume_of_an_unknown_saga_does_not_stop_the_others(
    saga: Saga, situations: Situations, capsys: pytest.CaptureFixture[str]
) -> None:
    known = situations.parked_after_pivot()
    fails(4, saga, "resume", uuid4(), known, *WHY)
    assert [each["code"] for each in json.loads(capsys.readouterr().out)] == ["unknown", "taken"]
    fails(3, saga, "resume", uuid4(), *WHY)


def test_resume_of_a_saga_of_an_unknown_definition_fails(saga: Saga, situations: Situations) -> None:
    saga_id = situations.running()
    SagaInstance.objects.filter(pk=saga_id).update(definition="checkout.v9")
    fails(1, saga, "resume", saga_id, *WHY)


def test_resume_without_a_broker_changes_nothing(saga: Saga, situations: Situations, post: Post) -> None:
    saga_id = situations.parked_after_pivot()
    post.answers = False
    fails(1, saga, "resume", saga_id, *WHY)
    assert situations.shop.saga(saga_id).parked


@committed
def test_what_a_broker_lost_in_the_middle_did_not_take_is_sent_by_recovery(
    saga: Saga, situations: Situations, post: Post
) -> None:
    saga_id = situations.parked_after_pivot()
    post.takes = False
    assert [each["code"] for each in saga("resume", saga_id, *WHY)] == ["taken"]
    assert situations.shop.saga(saga_id).due_at is not None


@committed
def test_resume_parked_resumes_each_parked_saga_once(saga: Saga, situations: Situations, post: Post) -> None:
    after, before = situations.parked_after_pivot(), situations.parked_compensation()
    situations.failing()
    post.sent.clear()
    assert {each["code"] for each in saga("resume", "--parked", *WHY)} == {"taken"}
    assert dict(post.sent) == {
        after: forward_from("capture_payment"),
        before: Undo(("authorise_payment", "reserve_stock")),
    }
    fails(3, saga, "resume", "--parked", *WHY)
    assert len(post.sent) == 2


@committed
def test_resume_stuck_does_the_work_of_a_recovery_loop(saga: Saga, situations: Situations, post: Post) -> None:
    late = overdue(situations, 2)
    later = datetime.now(UTC) + timedelta(minutes=5)
    SagaInstance.objects.filter(pk=situations.failing()).update(due_at=later)
    post.sent.clear()
    assert saga("resume", "--stuck", *WHY) == {"rounds": 1, "looked_at": 2, "due": 0}
    assert dict(post.sent) == dict.fromkeys(late, forward_from("authorise_payment"))
    fails(3, saga, "resume", "--stuck", *WHY)
    assert len(post.sent) == 2


@committed
def test_resume_stuck_from_two_hosts_sends_everything_once(situations: Situations, post: Post) -> None:
    late = overdue(situations, 12)
    post.sent.clear()
    together = threading.Barrier(2)

    def host() -> None:
        connections[ALIAS].ensure_connection()
        together.wait()
        recovery_rounds.recover(timedelta(seconds=20))
        connections.close_all()

    with ThreadPoolExecutor(2) as hosts:
        for done in [hosts.submit(host), hosts.submit(host)]:
            done.result()
    assert sorted(saga_id for saga_id, _ in post.sent) == sorted(late)


@committed
def test_resume_stuck_gives_up_on_messages_that_may_merely_wait(
    saga: Saga, situations: Situations, post: Post, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saga_id = situations.running()
    SagaInstance.objects.filter(pk=saga_id).update(due_at=datetime.now(UTC) - timedelta(minutes=1))
    monkeypatch.setattr("orchestration.engine.markers.send", lambda *_, **__: True)  # no worker passes the marker on
    post.sent.clear()
    fails(6, saga, "resume", "--stuck", "--patience", 1, *WHY)
    rounds = json.loads(capsys.readouterr().out)
    assert (rounds["looked_at"], rounds["due"]) == (0, 1)
    assert rounds["rounds"] > 1
    assert post.sent == []


@pytest.mark.parametrize("which", [(), ("--parked", "--stuck"), (str(uuid4()), "--stuck")])
def test_resume_wants_to_know_which(which: tuple[str, ...], saga: Saga, post: Post) -> None:
    fails(2, saga, "resume", *which, *WHY)


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "list --step no_such",
        "list --status no_such",
        "list --limit 0",
        "show 1",
        "resume --parked",
        "resume x --reason y",
    ],
)
def test_wrong_usage_is_code_2(arguments: str) -> None:
    command = [sys.executable, "manage.py", "saga", *arguments.split()]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "usage:" in ended.stderr
