"""`manage.py audit findings|apply|accept`, and `--write`: what they print and do, and their exit codes."""

import json
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from inventory.models import Reservation, Stock
from orchestration.db import clocks
from orchestration.models import ALIAS, SagaInstance
from orchestration.models.audit import AuditRun
from orchestration.operators.audit import run_rows
from orchestration.operators.audit.queries import open_findings
from tests.integration.operators.audit import drift
from tests.integration.operators.audit.courier import Courier
from tests.integration.operators.audit.test_audit_command import printed, printed_before_failing
from tests.support.shop import Shop

pytestmark = pytest.mark.usefixtures("one_clock")

REASON = ("--reason", "seen on the dashboard", "--by", "ada")


def reported(*arguments: str) -> Any:
    return json.loads(printed(*arguments, "--format", "json"))


def exit_code(*arguments: str) -> int:
    with pytest.raises(CommandError) as raised:
        call_command("audit", *arguments, stdout=StringIO())
    return raised.value.returncode


@pytest.fixture
def held(compensated: UUID) -> int:
    """A finding of units that are still held, which a saga can release."""
    drift.hold_again(compensated)
    printed_before_failing("--write")
    return open_findings().get(invariant="Q3").pk


def test_findings_are_listed_with_what_to_do(held: int) -> None:
    listed = reported("findings")
    assert {each["invariant"] for each in listed} == {"A6", "Q3"}
    [finding] = [each for each in listed if each["id"] == held]
    assert finding["message"] == "The saga is compensated, and it still holds units."
    assert finding["repair"]["saga"] == "release_leftover_hold.v1"
    assert "Apply the proposed repair, the saga release_leftover_hold.v1." in printed("findings")


def test_nothing_found_is_exit_code_3(completed: UUID) -> None:
    assert exit_code("findings") == 3
    assert exit_code("apply", "1", *REASON) == 3
    assert exit_code("accept", "1", *REASON) == 3


def test_a_dry_run_says_what_would_be_started_and_starts_nothing(held: int, compensated: UUID) -> None:
    would = reported("apply", str(held), "--dry-run", *REASON)["would_start"]
    assert would == {"saga": "release_leftover_hold.v1", "parameters": {"repaired_saga_id": str(compensated)}}
    assert SagaInstance.objects.using(ALIAS).count() == 1
    assert open_findings().get(pk=held).applied_at is None


def test_a_repair_is_applied_once_and_the_next_audit_sees_it_gone(held: int, courier: Courier) -> None:
    applied = reported("apply", str(held), *REASON)
    assert applied["started"] is True
    assert (applied["applied_by"], applied["applied_reason"]) == ("ada", "seen on the dashboard")
    assert reported("apply", str(held), *REASON)["started"] is False
    courier.settle(UUID(applied["repair_saga_id"]))
    assert "the books agree" in printed("--write")
    assert exit_code("findings") == 3
    assert {each["outcome"] for each in reported("findings", "--all") if each["applied_by"]} == {"gone"}


def test_waiting_is_reported_how_the_repair_ended(held: int, courier: Courier) -> None:
    assert exit_code("apply", str(held), *REASON, "--wait", "1") == 6
    courier.deliver()
    printed("apply", str(held), *REASON, "--wait", "1")


def test_a_repair_that_is_refused_is_exit_code_4(completed: UUID, courier: Courier) -> None:
    Reservation.objects.update(quantity=1)
    for _ in range(2):
        printed_before_failing("--write")
    finding_id = str(open_findings().get(invariant="A1").pk)
    applied = reported("apply", finding_id, *REASON)
    courier.settle(UUID(applied["repair_saga_id"]))
    assert exit_code("apply", finding_id, *REASON, "--wait", "1") == 4


def test_drift_that_is_gone_is_exit_code_5(held: int, courier: Courier) -> None:
    courier.settle(UUID(reported("apply", str(held), *REASON)["repair_saga_id"]))
    printed("--write")
    assert exit_code("apply", str(held), *REASON) == 5
    assert exit_code("accept", str(held), *REASON) == 5


def test_an_accepted_finding_says_by_whom_and_why(held: int) -> None:
    assert reported("accept", str(held), *REASON)["accepted_by"] == "ada"
    assert "accepted by ada: seen on the dashboard" in printed("findings")


@pytest.mark.parametrize("command", [("apply", "1"), ("accept", "1"), ("apply", "1", "--reason", " "), ("apply",)])
def test_a_word_without_a_reason_is_misuse(command: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match=r"--reason|it says nothing|FINDING"):
        call_command("audit", *command)


def test_two_audits_that_write_are_refused(completed: UUID) -> None:
    run_rows.start(now=clocks.now())
    assert exit_code("--write") == 5


def test_what_only_newer_sagas_show_is_looked_at_alone(compensated: UUID, shop: Shop) -> None:
    drift.hold_again(compensated)
    printed_before_failing("--since", "2026-01-01")
    newer = printed("--since", "2999-01-01T00:00+02:00")
    assert "not made: A1, A2, Q4 in their sums, which need every saga" in newer
    assert newer.splitlines()[-1] == "the books that could be read agree; not checked: A1, A2, Q4"
    assert not AuditRun.objects.using(ALIAS).exists()


def test_violations_are_reported_line_by_line(compensated: UUID) -> None:
    drift.hold_again(compensated)
    lines = [json.loads(line) for line in printed_before_failing("--format", "jsonl").splitlines()]
    assert [line["invariant"] for line in lines] == ["A6", "Q3"]


def test_writing_while_orders_are_placed_does_not_take_them_for_findings(shop: Shop, courier: Courier) -> None:
    shop.place()
    assert "the books agree" in printed("--write")
    run = AuditRun.objects.using(ALIAS).get()
    assert (run.ok, run.sagas) == (True, 1)
    assert not open_findings().exists()
    assert Stock.objects.exists()
