"""A capture settled outside leaves a hold: the same act has it voided, and takes back nothing that was taken."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError

from orchestration.contracts.codec import encode
from orchestration.contracts.payments import ConfirmCaptureSettled, confirm_capture_settled
from orchestration.models import OperatorLogEntry, SagaInstance
from orchestration.models.actions import Code, OperatorAction, Via
from orchestration.operators.actions.perform import carry_out, perform
from orchestration.operators.actions.preview import preview
from orchestration.operators.actions.requests import Actor, Ask, NotAsked
from orchestration.operators.audit.violations import violations
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Refused
from orchestration.testing import step_runner
from payments import tasks
from payments.gateways.choice import gateway
from payments.gateways.sandbox.models import Operation
from payments.models import Ledger, Payment
from tests.integration.operators.audit.courier import Courier
from tests.support.shop import Shop

FACTS = {"capture_id": "cap_1"}


def asked(*, void: bool = True, step: str = "capture_payment", facts: Mapping[str, str] | None = None) -> Ask:
    said: dict[str, Any] = {"reason": "paid by transfer", "evidence": "statement 7, line 12"}
    return Ask(OperatorAction.SETTLE, Actor("ada", 1, Via.ADMIN), step=step, facts=facts or {}, void=void, **said)


def kinds() -> list[str]:
    """What the gateway was asked to do, and did."""
    return sorted(Operation.objects.values_list("kind", flat=True))


def voiding() -> SagaInstance:
    """The saga that voids; there is one."""
    return SagaInstance.objects.get(definition="void_settled_hold.v1")


def phase_of(saga_id: UUID) -> str:
    return SagaInstance.objects.get(pk=saga_id).phase


@pytest.fixture
def parked(shop: Shop, courier: Courier) -> UUID:
    """A saga whose order is placed and whose card does not give what is on hold."""
    saga_id = shop.place(payment_method="tok_capture_declined")
    assert courier.settle(saga_id) == "finishing"
    return saga_id


@pytest.fixture
def take() -> Callable[[], None]:
    """Has the money captured at the gateway by somebody else, whatever the card says."""

    def take() -> None:
        held = Operation.objects.get(kind="authorise")
        reported = {"reference": held.reference, "amount_minor": held.amount_minor, "currency": held.currency}
        Operation.objects.create(kind="capture", key="by hand", authorisation=held, **reported)

    return take


def test_the_preview_offers_to_void_what_stays_and_says_what_comes_of_it(parked: UUID) -> None:
    offered, chosen = preview(parked, asked(void=False)).money[0], preview(parked, asked()).money[0]

    assert offered.endswith("have it voided with the settlement: settle with `void`.")
    assert " on hold is voided (" in chosen
    assert chosen.endswith("if it has captured the money, nothing is given back.")
    assert not SagaInstance.objects.filter(definition="void_settled_hold.v1").exists(), "looking starts nothing"


def test_what_stays_on_hold_is_voided_with_the_settlement(parked: UUID, courier: Courier) -> None:
    entry = perform(parked, asked(), expected_version=None)

    assert entry.code == Code.TAKEN
    assert f"Saga {voiding().pk} (void_settled_hold.v1) voids what stays on hold." in entry.detail
    assert courier.settle(voiding().pk) == "completed"
    assert phase_of(parked) == "completed"
    assert kinds() == ["authorise", "void"]
    assert Payment.objects.get().status == "voided"
    assert Ledger.objects.get(saga_id=parked, step="authorise_payment").status == "done"
    assert violations() == []
    courier.send_everything_again()
    courier.deliver()
    assert kinds() == ["authorise", "void"]


def test_without_the_word_the_hold_stays(parked: UUID, courier: Courier) -> None:
    perform(parked, asked(void=False), expected_version=None)
    courier.deliver()
    assert kinds() == ["authorise"]
    assert SagaInstance.objects.count() == 1


def test_money_that_was_taken_after_all_is_not_given_back(
    parked: UUID, courier: Courier, take: Callable[[], None]
) -> None:
    perform(parked, asked(), expected_version=None)
    take()

    assert courier.settle(voiding().pk) == "finishing", "it is parked: a person has to look"
    assert kinds() == ["authorise", "capture"]
    row = Ledger.objects.get(step="void_settled_hold")
    assert row.refusal is not None
    assert row.refusal["code"] == "money_was_taken"


def test_money_that_is_taken_between_question_and_void_is_not_given_back(
    parked: UUID, courier: Courier, take: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    perform(parked, asked(), expected_version=None)
    adapter = gateway()
    void = adapter.void

    def void_too_late(authorisation_id: str, *, key: str):
        if "capture" not in kinds():
            take()
        return void(authorisation_id, key=key)

    monkeypatch.setattr(adapter, "void", void_too_late)
    assert courier.settle(voiding().pk) == "finishing"
    assert kinds() == ["authorise", "capture"]


def test_an_act_that_is_repeated_voids_once(parked: UUID, courier: Courier) -> None:
    first, second = (perform(parked, asked(), expected_version=None) for _ in range(2))
    assert (first.code, second.code) == (Code.TAKEN, Code.ENDED)
    courier.settle(voiding().pk)
    assert kinds() == ["authorise", "void"]


def test_settlement_and_voiding_are_committed_together(
    parked: UUID, courier: Courier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who dies between the service's commit and the saga's leaves neither; the same act does both."""

    def die(entry: OperatorLogEntry) -> None:
        raise IntegrityError("it dies")

    with pytest.raises(IntegrityError):
        carry_out(parked, asked(), alongside=die)
    assert SagaInstance.objects.count() == 1
    assert not courier.waiting
    assert not OperatorLogEntry.objects.exists()

    assert perform(parked, asked(), expected_version=None).code == Code.TAKEN
    assert courier.settle(voiding().pk) == "completed"
    assert violations() == []


def test_nothing_is_voided_where_nothing_is_on_hold(parked: UUID) -> None:
    Payment.objects.update(status="voided")
    assert preview(parked, asked()).why_not == "nothing is on hold in our records: leave out void"
    entry = perform(parked, asked(), expected_version=None)
    assert entry.code == Code.NOT_RESOLVED
    assert phase_of(parked) == "finishing"


def test_who_tells_facts_or_does_something_else_does_not_void() -> None:
    with pytest.raises(NotAsked, match="without facts"):
        asked(facts=FACTS)
    with pytest.raises(NotAsked, match="void is for settle"):
        Ask(OperatorAction.RESUME, Actor("ada", 1, Via.ADMIN), "why", void=True)


def test_a_hold_whose_capture_is_not_settled_is_left_alone(parked: UUID) -> None:
    Ledger.objects.filter(step="capture_payment").delete()
    request = ConfirmCaptureSettled(UUID(int=7), parked)
    call = Call(request.saga_id, confirm_capture_settled.step, 1, known=encode(request))
    [outcome] = step_runner.act(tasks.participant, confirm_capture_settled, [call])
    assert isinstance(outcome, Refused)
    assert outcome.refusal["code"] == "capture_still_owed"
