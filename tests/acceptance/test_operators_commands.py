"""Commands of operators beside real workers: what came of an action is waited for; cron may run twice at once."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction

from orchestration.engine import dispatch
from orchestration.models import ALIAS, OperatorLogEntry, SagaInstance, SagaLogEntry
from tests.integration.admin.situations import Post, Situations
from tests.support.processes import Worker, environment
from tests.support.shop import Shop

ROOT = Path(__file__).parents[2]
WHY = ("--reason", "they wait", "--yes", "--format", "json")


def parked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A saga whose authorisation is tried again in nine minutes, or when an operator resumes it."""
    with monkeypatch.context() as patched, transaction.atomic(using=ALIAS):
        patched.setattr(dispatch, "send", Post().send)
        saga_id = Situations().failing()
        SagaInstance.objects.filter(pk=saga_id).update(due_at=datetime.now(UTC) + timedelta(minutes=9))
        return saga_id


def test_a_resumed_saga_is_waited_for_until_it_is_completed(
    shared_worker: Worker, shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saga_id = parked(shop, monkeypatch)
    call_command("saga", "resume", str(saga_id), "--wait", "60", *WHY)
    [done] = json.loads(capsys.readouterr().out)
    assert (done["code"], done["observed"]) == ("taken", "completed")


def test_what_is_not_seen_in_time_is_code_6(shared_worker: Worker, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    saga_id = parked(shop, monkeypatch)
    with monkeypatch.context() as patched:
        patched.setattr(dispatch, "send", Post().send)  # it is said to be sent, and is not
        with pytest.raises(CommandError) as error:
            call_command("saga", "resume", str(saga_id), "--wait", "1", *WHY)
    assert error.value.returncode == 6
    assert OperatorLogEntry.objects.get().observed_at is None
    SagaInstance.objects.filter(pk=saga_id).update(in_flight=False, due_at=datetime.now(UTC))
    shop.ended(saga_id)


def test_two_crons_at_once_send_every_due_saga_once(
    workforce: Any, clean_slate: None, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    workforce.stop_shared()  # its recovery would be faster
    late = [parked(shop, monkeypatch) for _ in range(6)]
    SagaInstance.objects.filter(pk__in=late).update(due_at=datetime.now(UTC) - timedelta(minutes=1))
    command = [sys.executable, "manage.py", "saga", "resume", "--stuck", "--reason", "cron", "--format", "json"]
    apart: Any = {"cwd": ROOT, "env": {**os.environ, **environment()}}
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = [subprocess.Popen(command, **apart, **quiet) for _ in range(2)]
    codes = [process.wait(timeout=120) for process in running]
    assert set(codes) <= {0, 3}
    assert 0 in codes
    sent = SagaLogEntry.objects.filter(saga_id__in=late, kind="sent")
    assert sorted(sent.values_list("saga_id", flat=True)) == sorted(late)
