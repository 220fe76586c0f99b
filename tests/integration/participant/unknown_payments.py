"""Payments whose outcome nobody knows, brought there through the kit."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from orchestration.contracts.payments import authorise_payment, refund_payment
from orchestration.participant.encryption import encrypt
from orchestration.participant.ledger import LEGAL_NEXT
from orchestration.participant.ledger_store import Call
from orchestration.participant.participant import Participant
from orchestration.testing import step_runner
from payments.gateways.port import GatewayTimeout
from payments.gateways.sandbox.models import Operation
from payments.models import Ledger
from tests.support.external import external_commands, replaced


def with_all(participant, **changed):
    """The participant, with these fields of every external command changed."""
    outside = external_commands(participant)
    changes = {each: replace(work, **changed) for each, work in outside.items()}
    return replace(participant, commands={**participant.commands, **changes})


def having(participant, command, **changed):
    """The participant, with these methods of one command changed."""
    return replace(
        participant, commands={**participant.commands, command: replaced(participant.commands[command], **changed)}
    )


def call(token: str = "tok_ok") -> Call:
    saga_id = uuid4()
    known = {
        "saga_id": str(saga_id),
        "order_id": str(uuid4()),
        "total_minor": 1998,
        "currency": "GBP",
        "payment_method": encrypt(token),
    }
    return Call(saga_id, "authorise_payment", token=1, known=known)


def act(participant: Participant, asked: Call) -> Any:
    return step_runner.act(participant, authorise_payment, [asked])[0]


def undo(participant: Participant, asked: Call) -> None:
    step_runner.undo(participant, refund_payment, [asked])


def time_passes(span: timedelta = timedelta(minutes=2)) -> None:
    """For every row."""
    at = datetime.now(UTC) - span
    Ledger.objects.update(created_at=at, changed_at=at)


def timed_out(participant, token="tok_timeout_after"):
    """An authorisation whose outcome is unknown for two minutes."""
    asked = call(token)
    with pytest.raises(GatewayTimeout):
        act(participant, asked)
    participant.commands[authorise_payment].breaker.close()
    time_passes()
    return asked


def half_undone(participant: Participant) -> Call:
    """A hold that was voided, which nobody has written down for two minutes."""
    asked = call()
    act(participant, asked)
    with pytest.raises(RecordLost):
        undo(having(participant, refund_payment, record=lost), asked)
    time_passes()
    return asked


class RecordLost(Exception):
    """The result could not be written down."""


def lost(request: Any, reply: Any) -> None:
    raise RecordLost


def history(asked: Call) -> list[str]:
    return Ledger.objects.get(saga_id=asked.saga_id, step=asked.step).history


def kinds() -> list[str]:
    return list(Operation.objects.order_by("created_at").values_list("kind", flat=True))


def is_legal(statuses: list[str]) -> bool:
    return all(after in LEGAL_NEXT[before] for before, after in zip([None, *statuses], statuses, strict=False))
