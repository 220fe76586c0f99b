"""What operators say is kept as one harmless line, by whichever door it comes; card numbers are refused there."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from config import env
from orchestration.management.arguments import fact, words
from orchestration.models import MachineryLogEntry, OperatorLogEntry
from orchestration.models.actions import OperatorAction, Via
from orchestration.operators.actions import batches, outcome_watcher
from orchestration.operators.actions.requests import Actor, Ask
from orchestration.operators.audit.apply import Justification
from orchestration.participant import breaker_registry
from orchestration.telemetry.logs import LineFormatter
from tests.integration.admin.situations import Situations
from tests.integration.operators.actions.conftest import ADA, FAST, PARKED, asked

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

FORGED = "it is ill\r\n2026-05-01 12:00:00,000 WARNING shop all is well \x1b[2J\x9b\u202edne\u2028"
KEPT = r"it is ill 2026-05-01 12:00:00,000 WARNING shop all is well \x1b[2J\x9b\u202edne"
CARD = "4242-4242 4242-4242"


@pytest.fixture
def gateway() -> Any:
    name = next(name for name in breaker_registry.in_use() if name.endswith("gateway"))
    yield name
    breaker_registry.in_use()[name].close()


def test_a_breakers_reason_forges_no_line_in_a_log(gateway: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        call_command("breakers", "open", gateway, "--for", "10m", "--yes", "--by", "ada", "--reason", FORGED)
    [reported] = [
        record for record in caplog.records if record.name == "orchestration.operators.actions.recorded_action"
    ]
    assert "\n" not in reported.getMessage()
    assert LineFormatter().format(reported).splitlines() == [LineFormatter().format(reported)]
    assert MachineryLogEntry.objects.get().reason == KEPT


def test_a_reason_typed_in_the_admin_is_one_line(admin_client: Client, gateway: str) -> None:
    admin_client.post(f"/admin/operations/breakers/{gateway}/open/", {"reason": FORGED, "minutes": "5"})
    assert MachineryLogEntry.objects.get().reason == KEPT


def test_reason_and_evidence_of_an_action_are_one_line(act: Any, situations: Situations) -> None:
    entry = act(situations.parked_after_pivot(), OperatorAction.RESUME, reason=FORGED)
    assert entry.reason == KEPT
    ask = Ask(OperatorAction.SETTLE, ADA, FORGED, "capture_payment", evidence=FORGED)
    assert (ask.reason, ask.evidence) == (KEPT, KEPT)


def test_a_batchs_reasons_are_one_line(parked: Callable[[int], list[UUID]]) -> None:
    parked(1)
    batch = batches.ask_for_batch(PARKED, asked(OperatorAction.RESUME, reason=FORGED), FAST)
    assert batch.reason == KEPT
    assert batches.stop(batch, ADA, FORGED).stopped_why == KEPT


def test_whoever_acts_and_what_they_say_of_a_finding_is_one_line() -> None:
    assert Actor("ada\n\u202e", None, Via.COMMAND).name == r"ada\n\u202e"
    assert Justification(FORGED, FORGED) == Justification(KEPT, KEPT)


@pytest.mark.parametrize("read", [words, lambda text: fact(f"capture_id={text}")])
def test_a_card_number_on_a_command_line_is_refused_and_not_repeated(read: Any, gateway: str) -> None:
    with pytest.raises(Exception, match="card number") as refused:
        read(f"paid with {CARD}")
    assert "4242" not in str(refused.value)


def test_a_command_with_a_card_number_does_nothing(gateway: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError) as refused:
        call_command("breakers", "open", gateway, "--for", "10m", "--yes", "--reason", CARD)
    assert "4242" not in str(refused.value) + "".join(capsys.readouterr())
    assert not MachineryLogEntry.objects.exists()


def test_a_card_number_in_the_admin_is_refused_and_not_shown_again(
    admin_client: Client, situations: Situations
) -> None:
    saga_id = situations.parked_after_pivot()
    said = {"reason": f"paid with {CARD}", "evidence": CARD, "facts": f"capture_id={CARD}", "confirm": "1"}
    answer = admin_client.post(f"/admin/operations/sagas/{saga_id}/settle/", {"step": "capture_payment", **said})
    assert {"reason", "evidence", "facts"} <= set(answer.context["form"].errors)
    assert "4242" not in answer.content.decode()
    assert not OperatorLogEntry.objects.exists()


def test_an_entry_whose_outcome_cannot_be_reported_does_not_keep_the_others_from_theirs(
    act: Any, situations: Situations, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, fine = situations.parked_after_pivot(), situations.parked_after_pivot()
    for saga_id in (odd, fine):
        act(saga_id, OperatorAction.RESUME)
    outcome_of = outcome_watcher._observation_of

    def broken(entry: OperatorLogEntry, *more: Any) -> Any:
        if entry.saga_id == odd:
            raise ValueError("no such kind")
        return outcome_of(entry, *more)

    monkeypatch.setattr(outcome_watcher, "_observation_of", broken)
    assert outcome_watcher.run_once(now=datetime.now(UTC).replace(year=2100)) == 1
    assert OperatorLogEntry.objects.get(observed_at__isnull=True).saga_id == odd
