"""`manage.py saga retry|compensate|cancel|pause|unpause|settle`: on whom, with whose word, and the exit code."""

import io
from argparse import ArgumentTypeError
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from config import env
from orchestration.management.arguments import words
from orchestration.models import OperatorLogEntry, SagaInstance
from orchestration.operators.actions import perform
from orchestration.operators.actions.requests import LONGEST_TEXT
from tests.integration.admin.situations import Situations
from tests.integration.admin.unknown import Unknown
from tests.integration.management.conftest import Ends, Run

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

WHY = ("--reason", "the gateway is back", "--by", "ada")
DO = (*WHY, "--yes")


def answering(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sits at a terminal."""
    terminal: Any = io.StringIO(text)
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)


def test_a_filter_chooses_and_the_log_keeps_who_and_why(run: Run, situations: Situations) -> None:
    failing, _ = situations.failing(), situations.running()
    [done] = run("saga", "pause", "--status", "retrying", *DO)
    assert (done["id"], done["code"]) == (str(failing), "taken")
    entry = OperatorLogEntry.objects.get()
    assert (entry.by, entry.reason, entry.via, entry.action) == ("ada", "the gateway is back", "command", "pause")
    assert [each["id"] for each in run("saga", "list", "--status", "paused")] == [str(failing)]
    [done] = run("saga", "unpause", failing, *DO)
    assert done["code"] == "taken"


def test_a_dry_run_says_what_would_happen_and_changes_nothing(run: Run, ends: Ends, situations: Situations) -> None:
    failing, completed = situations.failing(), situations.completed()
    before = list(SagaInstance.objects.order_by("pk").values())
    [found] = run("saga", "retry", failing, *WHY, "--dry-run")
    assert found["possible"]
    assert found["will"]
    assert ends("saga", "retry", failing, completed, *WHY, "--dry-run") == 4
    assert ends("saga", "retry", completed, *WHY, "--dry-run") == 5
    assert list(SagaInstance.objects.order_by("pk").values()) == before
    assert not OperatorLogEntry.objects.exists()


def test_each_kind_of_end_has_its_code(ends: Ends, situations: Situations) -> None:
    failing, completed = situations.failing(), situations.completed()
    assert ends("saga", "retry", *DO) == 2
    assert ends("saga", "retry", uuid4(), *DO) == 3
    assert ends("saga", "retry", completed, *DO) == 5
    assert ends("saga", "retry", failing, completed, *DO) == 4
    assert ends("saga", "pause", failing, *DO) == 0
    assert ends("saga", "pause", failing, *DO) == 5


def test_why_nothing_was_changed_is_said_once_in_the_table(
    ends: Ends, situations: Situations, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends("saga", "cancel", situations.completed(), *DO) == 5
    assert capsys.readouterr().out.count("there is no way back") == 1


def test_without_a_terminal_a_yes_is_needed(ends: Ends, situations: Situations) -> None:
    assert ends("saga", "pause", situations.failing(), *WHY) == 2
    assert not OperatorLogEntry.objects.exists()


@pytest.mark.parametrize(("said", "code"), [("y\n", 0), ("n\n", 5), ("", 5)])
def test_at_a_terminal_it_is_asked_after_what_would_happen_is_reported(
    said: str, code: int, ends: Ends, situations: Situations, monkeypatch: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(said, monkeypatch)
    assert ends("saga", "pause", situations.failing(), *WHY) == code
    assert OperatorLogEntry.objects.count() == (not code)
    assert "Pause 1 saga (" in capsys.readouterr().err


def test_what_moves_money_is_done_to_one_saga_only(ends: Ends, situations: Situations) -> None:
    one, other = situations.failing(), situations.failing()
    assert ends("saga", "cancel", one, other, *DO) == 5
    assert ends("saga", "compensate", "--status", "retrying", *DO) == 5
    assert not OperatorLogEntry.objects.exists()
    assert ends("saga", "cancel", one, *DO) == 0


def test_a_parked_step_is_settled_outside_with_evidence(run: Run, ends: Ends, situations: Situations) -> None:
    saga_id = situations.parked_after_pivot()
    settle = ("saga", "settle", saga_id, "--of-step", "capture_payment", "--evidence", "statement 7", *DO)
    assert ends(*settle[:3], "--of-step", "reserve_stock", "--evidence", "x", *DO) == 5
    [found] = run(*settle, "--dry-run")
    assert found["facts_wanted"] or found["possible"]
    assert OperatorLogEntry.objects.get().action == "settle"


def test_what_a_settled_capture_leaves_on_hold_is_voided(run: Run, ends: Ends, unknown: Unknown) -> None:
    settle = ("saga", "settle", unknown.capture(), "--of-step", "capture_payment", "--evidence", "statement 7", *DO)
    assert "have it voided with the settlement" in run(*settle, "--dry-run")[0]["money"][0]
    assert "on hold is voided" in run(*settle, "--void", "--dry-run")[0]["money"][0]
    assert ends(*settle, "--void", "--fact", "capture_id=cap_1") == 2
    [done] = run(*settle, "--void")
    assert str(SagaInstance.objects.get(definition="void_settled_hold.v1").pk) in done["detail"]


def test_who_changed_since_the_choice_is_passed_over(
    run: Run, ends: Ends, situations: Situations, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = situations.failing(), situations.failing()
    performed: Callable[..., Any] = perform.perform

    def and_meanwhile(saga_id: Any, *args: Any, **kwargs: Any) -> Any:
        SagaInstance.objects.filter(pk=other).update(failing_step="")
        return performed(saga_id, *args, **kwargs)

    monkeypatch.setattr("orchestration.management.carry_out.perform", and_meanwhile)
    assert ends("saga", "pause", "--status", "retrying", *DO) == 4
    assert [entry.saga_id for entry in OperatorLogEntry.objects.all()] == [one]


def test_a_limit_takes_the_oldest_and_a_rate_is_kept(
    run: Run, situations: Situations, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    made = [situations.failing() for _ in range(3)]
    done = run("saga", "pause", "--status", "retrying", "--limit", 2, "--rate", 0.001, *DO)
    assert [each["id"] for each in done] == [str(saga_id) for saga_id in made[:2]]
    assert slept[0] == 0
    assert 900 < slept[1] <= 1000


@pytest.mark.parametrize("said", [" ", "\N{ZERO WIDTH SPACE}", "x" * (LONGEST_TEXT + 1), "a\udcff"])
def test_what_cannot_be_read_is_no_reason(said: str) -> None:
    with pytest.raises(ArgumentTypeError):
        words(said)
