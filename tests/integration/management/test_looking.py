"""`manage.py saga count|why|timeline|stats|watch`: what they say, and to whom."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from uuid import uuid4
from xml.etree import ElementTree

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from config import env
from orchestration.models import SagaInstance
from orchestration.protocol.events import ChainCompleted
from tests.integration.admin.situations import Situations, _completed
from tests.integration.management.conftest import Ends, Run
from tests.support.processes import environment

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

ROOT = Path(__file__).parents[3]


def test_sagas_are_counted_by_every_filter(run: Run, ends: Ends, situations: Situations) -> None:
    failing, parked = situations.failing("schedule_shipment", tries=3), situations.parked_after_pivot()
    assert run("saga", "count")["count"] == 2
    for which in (
        ("--status", "retrying"),
        ("--failing", "--attempts", 3),
        ("--search", failing),
        ("--error", "GatewayTimeout"),
    ):
        assert run("saga", "count", "--step", "schedule_shipment", *which) == {"count": 1, "is_more": False}
    assert run("saga", "count", parked, "--exact")["count"] == 1
    SagaInstance.objects.filter(pk=parked).update(paused=True)
    assert run("saga", "count", "--failing")["count"] == 1
    SagaInstance.objects.update(changed_at="2026-01-01T00:00Z", created_at="2026-01-01T00:00Z")
    assert run("saga", "count", "--stuck-longer-than", "15m", "--created-until", "2026-01-02")["count"] == 2
    assert ends("saga", "count", "--created-from", "2026-01-02") == 3


def test_sagas_that_are_being_undone_are_listed(run: Run, ends: Ends, situations: Situations) -> None:
    situations.parked_compensation()
    assert ends("saga", "list", "--undoing") == 3
    undone = situations.barring()
    assert [each["id"] for each in run("saga", "list", "--undoing")] == [str(undone)]


def test_why_is_one_sentence_and_what_happens_next(run: Run, ends: Ends, situations: Situations) -> None:
    reported = run("saga", "why", situations.parked_after_pivot())
    assert reported["cause"] == "parked"
    assert reported["needs_a_person"]
    assert "capture_payment" in reported["sentence"]
    assert ends("saga", "why", uuid4()) == 3


class Terminal(io.StringIO):
    """A terminal as far as a command can tell."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_the_timeline_as_lines_and_never_as_svg(situations: Situations, tmp_path: Path) -> None:
    saga_id, terminal = situations.failing(), Terminal()
    call_command("saga", "timeline", saga_id, stdout=terminal)
    assert "<svg" not in terminal.getvalue()
    assert re.search(r"^authorise_payment +x+ +failed, ", terminal.getvalue(), re.MULTILINE)

    with pytest.raises(CommandError, match="--output") as error:
        call_command("saga", "timeline", saga_id, "--format", "svg", stdout=terminal)
    assert error.value.returncode == 2
    for arguments, begins in (((), "<svg"), (("--format", "text"), "claim_coupon")):
        file = tmp_path / f"{begins[-3:]}"
        call_command("saga", "timeline", saga_id, "--output", str(file), *arguments, stdout=terminal)
        assert file.read_text().startswith(begins)
    assert "<svg" not in terminal.getvalue()


def test_a_pipe_gets_lines_where_they_are_asked_for(situations: Situations, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("saga", "timeline", situations.failing(), "--format", "text")
    assert capsys.readouterr().out.startswith("claim_coupon")


def test_the_timeline_is_a_picture(
    situations: Situations, ends: Ends, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    saga_id = str(situations.compensating())
    call_command("saga", "timeline", saga_id)
    assert ElementTree.fromstring(capsys.readouterr().out).tag.endswith("svg")
    call_command("saga", "timeline", saga_id, "--to", str(tmp_path / "saga.svg"))
    assert ElementTree.parse(tmp_path / "saga.svg").getroot().tag.endswith("svg")
    assert ends("saga", "timeline", saga_id, "--to", str(tmp_path / "no" / "saga.svg")) == 1
    assert ends("saga", "timeline", uuid4()) == 3


def test_stats_tell_rates_queues_and_who_did_not_answer(run: Run, situations: Situations) -> None:
    situations.completed()
    situations.parked_after_pivot()
    reported = run("saga", "stats", "--window", "5m")
    assert reported["stats"]["window_s"] == 300
    assert reported["stats"]["in_flight"]["count"] == 1
    assert reported["presets"]["parked"] == {"count": 1, "is_more": False}
    assert {"name", "messages", "consumers"} == reported["queues"][0].keys()


def test_watching_tells_each_move_once_and_ends_with_the_last(
    situations: Situations, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saga_id = situations.running()
    ends = iter([lambda: None, lambda: situations.report(saga_id, ChainCompleted(_completed()))])
    monkeypatch.setattr("time.sleep", lambda _: next(ends)())
    call_command("saga", "watch", "--status", "running")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["status"] for line in lines] == ["running", "completed"]


def test_watching_ends_when_the_time_is_over_or_somebody_stops_it(
    situations: Situations, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ends("saga", "watch") == 3
    situations.running()
    assert ends("saga", "watch", "--wait", 1, "--every", 0.05) == 6

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", stop)
    assert ends("saga", "watch") == 0


def test_a_terminal_gets_a_live_table(situations: Situations, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    saga_id, terminal = situations.parked_after_pivot(), Terminal()
    with pytest.raises(CommandError):
        call_command("saga", "watch", "--wait", "1", "--every", "0.5", stdout=terminal)
    assert str(saga_id) in terminal.getvalue()
    assert "parked" in terminal.getvalue()


def test_what_is_piped_is_data_only(situations: Situations) -> None:
    ids = {str(situations.failing()), str(situations.parked_after_pivot())}
    command = [sys.executable, "manage.py", "saga", "resume", *ids, "--dry-run", "--reason", "x", "--format", "jsonl"]
    ended = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment()}, capture_output=True, check=False)
    assert ended.returncode == 0
    assert {json.loads(line)["saga_id"] for line in ended.stdout.splitlines()} == ids
    assert b"\x1b" not in ended.stdout + ended.stderr
