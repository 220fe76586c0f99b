"""`manage.py audit`: what it prints, and its exit code."""

import json
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, ManagementUtility, call_command
from django.db import connections

from orchestration.models import SagaInstance
from orchestration.operators.audit.findings import invariants
from orders.models import OrderLine
from payments.gateways.sandbox import audit as gateway_audit
from shipping.carriers.sandbox import audit as carrier_audit
from tests.integration.operators.audit.courier import Courier
from tests.support.shop import Shop


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command("audit", *arguments, stdout=out)
    return out.getvalue()


def printed_before_failing(*arguments: str) -> str:
    out = StringIO()
    with pytest.raises(SystemExit, match="4"):
        call_command("audit", *arguments, stdout=out)
    return out.getvalue()


def test_books_that_agree_are_reported_in_json(completed: UUID) -> None:
    reported = json.loads(printed("--format", "json"))
    assert reported["ok"] is True
    assert reported["violations"] == reported["not_made"] == []
    assert reported["checked"]["Q2"] == 1


def test_books_that_agree_are_reported_in_words(completed: UUID) -> None:
    lines = printed().splitlines()
    assert lines[0].split()[:4] == ["A1", "ok", "1", "checked"]
    assert lines[-1] == "the books agree"


def test_a_violation_is_reported_in_json_with_its_ids(completed: UUID, shop: Shop) -> None:
    OrderLine.objects.all().delete()
    reported = json.loads(printed_before_failing("--format", "json"))
    assert reported["ok"] is False
    assert reported["violations"] == [
        {
            "invariant": "Q5",
            "message": "The order's total is 2.00 GBP, its lines add up to 0.00 GBP.",
            "ids": {"saga": str(completed), "order": str(shop.saga(completed).order_id)},
        }
    ]


def test_a_violation_is_reported_in_words_with_its_ids(completed: UUID) -> None:
    OrderLine.objects.all().delete()
    *_, line, last = printed_before_failing().splitlines()
    assert line.startswith(f"Q5  The order's total is 2.00 GBP, its lines add up to 0.00 GBP.  saga={completed} order=")
    assert last == "1 violations"


def test_a_saga_at_work_is_a_violation_unless_reported_otherwise(shop: Shop, courier: Courier) -> None:
    shop.place()
    assert "The saga has not ended, it is running." in printed_before_failing()
    assert "the books agree" in printed("--running")


def test_parked_sagas_may_be_named(shop: Shop, courier: Courier) -> None:
    parked, other = shop.place(), shop.place()
    SagaInstance.objects.update(parked=True, due_at=None)
    assert "the books agree" in printed("--allow-parked")
    assert "the books agree" in printed("--allow-parked", str(parked), str(other))
    assert f"Q1  The saga has not ended, it is running, parked.  saga={other}" in printed_before_failing(
        "--allow-parked", str(parked)
    )


def test_what_only_the_sandbox_can_show_is_said_not_to_be_checked(
    completed: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_audit, "gateway", object)
    monkeypatch.setattr(carrier_audit, "carrier", object)
    reported = json.loads(printed("--format", "json"))
    at_the_gateway = {
        "invariants": ["A4", "Q2", "Q3", "Q4", "Q5", "Q6", "R1"],
        "why": "at the gateway: it is not the sandbox, whose books can be read",
    }
    at_the_carrier = {
        "invariants": ["A4", "Q2", "Q3", "Q6"],
        "why": "at the carrier: it is not the sandbox, whose books can be read",
    }
    assert reported["not_made"] == [at_the_gateway, at_the_carrier]
    assert (reported["ok"], reported["is_whole"], reported["checked"]["Q4"]) == (True, False, 0)
    assert (reported["not_checked"], reported["checked_in_part"]) == (["Q3", "Q4"], ["A4", "Q2", "Q5", "Q6", "R1"])

    table = printed().splitlines()[: len(invariants())]
    verdicts = {line.split()[0]: " ".join(line.split()[1:3]) for line in table}
    assert (verdicts["Q4"], verdicts["A4"], verdicts["A1"]) == ("not checked", "ok in", "ok 1")
    last = "the books that could be read agree; not checked: Q3, Q4; checked in part: A4, Q2, Q5, Q6, R1"
    assert printed().splitlines()[-1] == last


def test_a_violation_beside_what_was_not_checked_is_reported_with_both(
    completed: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier_audit, "carrier", object)
    OrderLine.objects.all().delete()
    last = "1 violations; not checked: Q3; checked in part: A4, Q2, Q6"
    assert printed_before_failing().splitlines()[-1] == last


def test_what_was_not_checked_is_reported_beside_lines_of_violations(
    completed: UUID, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(carrier_audit, "carrier", object)
    assert printed("--format", "jsonl") == ""
    assert capsys.readouterr().err.startswith("not made: A4, Q2, Q3, Q6 at the carrier: ")


def test_a_definition_that_is_gone_is_said_not_to_be_checked(completed: UUID) -> None:
    SagaInstance.objects.update(definition="checkout.v0")
    assert "not made: A6, Q2, Q3 of 1 sagas: this code has no definition checkout.v0" in printed()


def test_a_database_that_cannot_be_read_is_named(completed: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere: dict[str, Any] = {**connections["shipping"].settings_dict, "NAME": "nowhere", "OPTIONS": {}}
    connections["shipping"].close()
    monkeypatch.setattr(connections["shipping"], "settings_dict", nowhere)
    with pytest.raises(CommandError, match=r'^database shipping \(nowhere\): .*"nowhere" does not exist'):
        printed()


@pytest.mark.parametrize("arguments", [["--format", "xml"], ["--allow-parked", "not-a-uuid"], ["--nonsense"]])
def test_a_mistake_in_the_command_line_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        ManagementUtility(["manage.py", "audit", *arguments]).execute()
