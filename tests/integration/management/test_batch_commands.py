"""`manage.py saga batch start|list|show|approve|stop`: by whom, on which sagas, and the exit code."""

import getpass
import io
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User

from config import env
from orchestration.management import batch_watch
from orchestration.models import Batch, BatchMember, OperatorLogEntry, SagaInstance
from orchestration.operators.actions import batches, outcome_watcher
from orchestration.operators.actions.batch_loop import run_once
from orchestration.protocol.events import Resumed
from tests.integration.admin.situations import Situations
from tests.integration.admin.unknown import Unknown
from tests.integration.management.conftest import Ends, Run
from tests.support.accounts import open_terminal, staff

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

WHY = ("--reason", "the carrier is back")
DO = (*WHY, "--yes")
START, PARKED = ("saga", "batch", "start"), ("--status", "parked")
Hire = Callable[..., User]


@pytest.fixture
def hire(monkeypatch: pytest.MonkeyPatch) -> Hire:
    """Make somebody of the staff with some permissions; at the terminal their password is typed, and yes."""
    open_terminal(monkeypatch, typed="y\n" * 9)
    return staff


def members() -> set[str]:
    return {str(saga_id) for saga_id in BatchMember.objects.values_list("saga_id", flat=True)}


def test_a_filter_chooses_and_the_batch_keeps_who_why_and_how(run: Run, situations: Situations) -> None:
    parked = {str(situations.parked_after_pivot()) for _ in range(2)}
    situations.failing()
    pace = ("--canary", 1, "--per-second", 2.5, "--stop-above-percent", 0)
    made = run(*START, "resume", *PARKED, *pace, *DO, "--by", "ada")
    batch = Batch.objects.get()
    assert (made["id"], made["state"], made["chosen"], members()) == (str(batch.pk), "approved", 2, parked)
    assert (batch.by, batch.user_id, batch.via, batch.reason) == ("ada", None, "command", "the carrier is back")
    assert (batch.canary, batch.per_second, batch.stop_above_percent) == (1, 2.5, 0)


def test_ids_and_a_text_choose_only_what_is_all_of_it(run: Run, ends: Ends, situations: Situations) -> None:
    one, other = situations.parked_after_pivot(), situations.parked_after_pivot()
    customer = SagaInstance.objects.get(pk=one).customer_id
    SagaInstance.objects.exclude(pk=one).update(customer_id=customer + "0")
    assert run(*START, "resume", *PARKED, "--search", customer, *DO)["chosen"] == 1
    assert members() == {str(one)}
    assert ends(*START, "resume", other, "--search", customer, *DO) == 3
    assert run(*START, "pause", other, uuid4(), *DO)["chosen"] == 1
    assert members() == {str(one), str(other)}


@pytest.mark.parametrize("which", [("--search", "nobody@example.org"), PARKED, (str(uuid4()),)])
def test_nothing_that_matches_is_code_3_and_never_means_all(
    which: tuple[str, ...], ends: Ends, situations: Situations
) -> None:
    situations.failing()
    assert ends(*START, "pause", *which, *DO) == 3
    assert ends(*START, "pause", *which, *WHY, "--dry-run") == 3
    assert not Batch.objects.exists()


def test_every_saga_is_too_many_to_name(ends: Ends, situations: Situations) -> None:
    situations.failing()
    assert ends(*START, "pause", *DO) == 2
    assert ends(*START, "pause", "--attempts", 0, *WHY, "--dry-run") == 2
    assert not Batch.objects.exists()


def test_more_than_a_batch_has_is_refused(ends: Ends, situations: Situations, monkeypatch: pytest.MonkeyPatch) -> None:
    situations.failing()
    situations.failing()
    monkeypatch.setattr(batches, "MEMBERS_LIMIT", 1)
    assert ends(*START, "pause", "--status", "retrying", *DO) == 5
    assert ends(*START, "pause", "--status", "retrying", *WHY, "--dry-run") == 5
    assert not Batch.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        ("--canary", "10001"),
        ("--per-second", "0.001"),
        ("--per-second", "nan"),
        ("--stop-above-percent", "101"),
        ("--by", "bob", "--as", "ada"),
        ("--wait", "99999999999999"),
        ("--created-from", "0001-01-01T00:00+14:00"),
        ("--evidence", "statement 7"),
    ],
)
def test_what_no_batch_can_be_like_is_misuse(wrong: tuple[str, ...], ends: Ends, situations: Situations) -> None:
    situations.parked_after_pivot()
    assert ends(*START, "resume", *PARKED, *wrong, *DO) in (1, 2)  # 1: argparse's, called from Python
    assert not Batch.objects.exists()


def test_a_dry_run_says_what_would_happen_and_makes_no_batch(run: Run, ends: Ends, situations: Situations) -> None:
    parked, completed = situations.parked_after_pivot(), situations.completed()
    reported = run(*START, "cancel", situations.failing(), *WHY, "--dry-run")
    assert (reported["chosen"], reported["possible"], reported["needs_second_person"]) == (1, 1, True)
    assert ends(*START, "resume", parked, completed, *WHY, "--dry-run") == 4
    assert ends(*START, "resume", completed, *WHY, "--dry-run") == 5
    assert not Batch.objects.exists()


def test_what_moves_money_wants_an_account(ends: Ends, situations: Situations) -> None:
    saga_id = situations.failing()
    assert ends(*START, "cancel", saga_id, *DO) == 5
    assert ends(*START, "cancel", saga_id, *DO, "--by", "ada") == 5
    assert not Batch.objects.exists()


def test_what_moves_money_takes_two_people_who_log_in(run: Run, ends: Ends, situations: Situations, hire: Hire) -> None:
    ada, bob = hire("ada", "cancel_saga", "approve_batch"), hire("bob", "cancel_saga", "approve_batch")
    saga_id = situations.failing()
    made = run(*START, "cancel", saga_id, *DO, "--as", "ada")
    assert (made["state"], made["by"], Batch.objects.get().user_id) == ("asked", "ada", ada.pk)
    approve = ("saga", "batch", "approve", made["id"], "--yes")
    assert ends(*approve, "--as", "ada") == 5
    seen = run(*approve, "--as", "bob", "--dry-run")
    assert (seen["chosen"], seen["possible"], Batch.objects.get().state) == (1, 1, "asked")
    approved = run(*approve, "--as", "bob")
    assert (approved["state"], approved["approved_by"]) == ("approved", "bob")
    assert Batch.objects.get().approved_user_id == bob.pk
    assert ends(*approve, "--as", "bob") == ends(*approve, "--as", "bob", "--dry-run") == 5
    run_once()
    assert OperatorLogEntry.objects.get().user_id == ada.pk


def test_a_name_is_no_identity(ends: Ends, situations: Situations, hire: Hire, monkeypatch: pytest.MonkeyPatch) -> None:
    hire("ada", "cancel_saga")
    saga_id = situations.failing()
    monkeypatch.setattr(getpass, "getpass", lambda prompt: "guessed")
    assert ends(*START, "cancel", saga_id, *DO, "--as", "ada") == 5
    assert ends(*START, "cancel", saga_id, *DO, "--as", "nobody") == 5
    monkeypatch.setattr("sys.stdin", io.StringIO("secret\n"))
    assert ends(*START, "cancel", saga_id, *DO, "--as", "ada") == 2
    assert not Batch.objects.exists()


@pytest.mark.parametrize(
    ("codenames", "more"),
    [
        (("resume_saga", "approve_batch", "stop_batch"), {}),
        (("cancel_saga", "approve_batch", "stop_batch"), {"is_staff": False}),
        (("cancel_saga", "approve_batch", "stop_batch"), {"is_active": False}),
    ],
)
def test_who_may_not_do_it_in_the_admin_may_not_here(
    codenames: tuple[str, ...], more: dict[str, Any], run: Run, ends: Ends, situations: Situations, hire: Hire
) -> None:
    hire("ada", "cancel_saga")
    hire("eve", *codenames, **more)
    batch = run(*START, "cancel", situations.failing(), *DO, "--as", "ada")["id"]
    before = list(Batch.objects.values())
    assert ends(*START, "cancel", situations.failing(), *DO, "--as", "eve") == 5
    assert ends("saga", "batch", "approve", batch, "--yes", "--as", "eve") == 5
    if more:
        assert ends("saga", "batch", "stop", batch, *DO, "--as", "eve") == 5
    assert ends("saga", "batch", "stop", batch, *DO, "--as", "ada") == 5
    assert list(Batch.objects.values()) == before


def test_the_right_to_approve_alone_approves_nothing(run: Run, ends: Ends, situations: Situations, hire: Hire) -> None:
    hire("ada", "cancel_saga")
    hire("eve", "approve_batch")
    hire("mallory", "cancel_saga")
    batch = run(*START, "cancel", situations.failing(), *DO, "--as", "ada")["id"]
    assert ends("saga", "batch", "approve", batch, "--yes", "--as", "eve") == 5
    assert ends("saga", "batch", "approve", batch, "--yes", "--as", "mallory") == 5
    assert Batch.objects.get().state == "asked"


def test_settling_many_tells_the_second_person_the_step_and_the_evidence(
    run: Run, ends: Ends, situations: Situations, hire: Hire, capsys: pytest.CaptureFixture[str]
) -> None:
    hire("ada", "settle_saga", "resolve_saga")
    hire("bob", "settle_saga", "approve_batch")
    situations.parked_after_pivot()
    step = ("--of-step", "capture_payment")
    assert ends(*START, "settle", *PARKED, *step, *DO, "--as", "ada") == 2
    assert ends(*START, "resolve", *PARKED, *step, "--evidence", "statement 7", *DO, "--as", "ada") == 2
    run(*START, "settle", *PARKED, *step, "--evidence", "statement 7", "--fact", "reference=x", *DO, "--as", "ada")
    batch = Batch.objects.get()
    assert (batch.step, batch.evidence) == ("capture_payment", "statement 7")
    assert batch.statement == {"outcome": "done", "facts": {"reference": "x"}}
    assert ends("saga", "batch", "approve", batch.pk, "--as", "bob") == 0
    reported = capsys.readouterr().err
    for words in ("step: capture_payment", "facts: reference=x", "evidence: statement 7"):
        assert words in reported
    assert "outcome" not in reported


def test_the_second_person_is_reported_how_much_money_it_is_about_before_being_asked(
    run: Run, ends: Ends, unknown: Unknown, hire: Hire, capsys: pytest.CaptureFixture[str]
) -> None:
    hire("ada", "settle_saga")
    hire("bob", "settle_saga", "approve_batch")
    said = (*PARKED, "--of-step", "authorise_payment", "--evidence", "statement 7")
    unknown.refund()
    batch = run(*START, "settle", *said, *DO, "--as", "ada")["id"]
    assert ends("saga", "batch", "approve", batch, "--as", "bob") == 0
    reported = capsys.readouterr().err
    assert "possible now on 1 of 1" in reported
    assert "1.00 GBP on hold" in reported
    assert reported.index("on hold") < reported.index("Approve it?")


def test_at_a_terminal_it_is_asked_after_what_would_happen_is_reported(
    ends: Ends, situations: Situations, hire: Hire, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    parked, completed = situations.parked_after_pivot(), situations.completed()
    assert ends(*START, "resume", parked, completed, *WHY) == 0
    reported = capsys.readouterr().err
    assert "not possible on 1: The saga has already ended" in reported
    assert "Resume 2 sagas (2 by id), 5 first, then 5 a second?" in reported
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert ends(*START, "resume", parked, *WHY) == 2
    assert Batch.objects.count() == 1


def test_other_sagas_than_were_looked_at_are_not_begun(
    ends: Ends, situations: Situations, hire: Hire, monkeypatch: pytest.MonkeyPatch
) -> None:
    situations.parked_after_pivot()

    def meanwhile() -> str:
        situations.parked_after_pivot()
        return "y"

    monkeypatch.setattr("sys.stdin.readline", meanwhile)
    assert ends(*START, "resume", *PARKED, *WHY) == 5
    assert not Batch.objects.exists()


def test_as_many_others_are_other_sagas(
    ends: Ends, situations: Situations, hire: Hire, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = situations.parked_after_pivot()

    def meanwhile() -> str:
        situations.report(looked_at, Resumed("bob", "it is back")), situations.parked_after_pivot()
        return "y"

    monkeypatch.setattr("sys.stdin.readline", meanwhile)
    assert ends(*START, "resume", *PARKED, *WHY) == 5
    assert not Batch.objects.exists()


def test_older_batches_are_on_the_next_page(
    run: Run, ends: Ends, situations: Situations, capsys: pytest.CaptureFixture[str]
) -> None:
    situations.parked_after_pivot()
    made = [run(*START, "resume", *PARKED, *DO)["id"] for _ in range(5)]
    seen: list[str] = []
    after = ""
    while len(seen) < 5:
        capsys.readouterr()
        assert ends("saga", "batch", "list", "--limit", 2, "--after", after, "--format", "jsonl") == 0
        out, err = capsys.readouterr()
        seen += [json.loads(line)["id"] for line in out.splitlines()]
        after = err.strip().rpartition(" ")[2]
    assert (seen, after) == (made[::-1], "")
    assert ends("saga", "batch", "list", "--after", "nonsense") == 2


def test_batches_are_listed_and_shown(
    run: Run, ends: Ends, situations: Situations, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends("saga", "batch", "list") == 3
    assert ends("saga", "batch", "show", uuid4()) == 3
    situations.parked_after_pivot()
    made = [run(*START, "resume", *PARKED, *DO)["id"] for _ in range(2)]
    assert [each["id"] for each in run("saga", "batch", "list")] == made[::-1]
    assert [each["id"] for each in run("saga", "batch", "list", "--limit", 1)] == made[1:]
    assert ends("saga", "batch", "list", "--state", "asked") == 3
    assert run("saga", "batch", "show", made[0])["tally"]["to_do"] == 1
    capsys.readouterr()
    for arguments in (("list",), ("show", made[0]), ("start", "resume", *PARKED, *WHY, "--dry-run")):
        assert ends("saga", "batch", *arguments) == 0
        assert made[0] in capsys.readouterr().out or arguments[0] == "start"


def test_a_batch_is_stopped_with_a_reason_once(run: Run, ends: Ends, situations: Situations) -> None:
    situations.parked_after_pivot()
    batch = run(*START, "resume", *PARKED, *DO)["id"]
    stop = ("saga", "batch", "stop", batch, "--reason", "wrong ones", "--by", "bob")
    assert ends(*stop) == 2
    assert run(*stop, "--dry-run")["state"] == "approved"
    stopped = run(*stop, "--yes")
    assert (stopped["state"], stopped["stopped_by"], stopped["stopped_why"]) == ("stopped", "bob", "wrong ones")
    assert ends(*stop, "--yes") == ends(*stop, "--dry-run") == 5
    assert ends("saga", "batch", "stop", uuid4(), *DO) == 3


def test_a_batch_is_waited_for_until_its_members_have_come_to_something(
    ends: Ends, situations: Situations, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saga_id = situations.failing()

    def meanwhile(_: float) -> None:
        run_once()
        outcome_watcher.run_once()

    monkeypatch.setattr("time.sleep", meanwhile)
    assert ends(*START, "pause", saga_id, *DO, "--wait", 60, "--format", "jsonl") == 0
    [line] = capsys.readouterr().out.splitlines()
    assert (json.loads(line)["state"], json.loads(line)["tally"]["worked"]) == ("finished", 1)
    assert ends(*START, "pause", saga_id, *DO, "--wait", 60) == 5
    assert ends(*START, "pause", situations.failing(), situations.completed(), *DO, "--wait", 60) == 4


def test_what_is_not_seen_in_time_is_code_6(
    run: Run, ends: Ends, situations: Situations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_watch, "LOOK_EVERY_S", 0.05)
    batch = run(*START, "pause", situations.failing(), *DO)["id"]
    assert ends("saga", "batch", "show", batch, "--wait", 1) == 6

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", stop)
    assert ends("saga", "batch", "show", batch, "--wait", 60) == 6
    assert Batch.objects.get().state == "approved"
