"""What a person has settled outside is tried no more; the books agree, or differ on that person's evidence."""

import re
from datetime import UTC, datetime
from uuid import UUID

import pytest

from config import env
from inventory.models import Ledger as InventoryLedger
from inventory.models import Reservation
from orchestration.contracts.shipping import cancel_shipment
from orchestration.engine import engine
from orchestration.models.actions import Code, OperatorAction
from orchestration.operators.actions.perform import perform
from orchestration.operators.audit.violations import Unfinished, audit
from orchestration.participant.ledger_store import Call
from orchestration.participant.participant import participant_of
from orchestration.protocol.events import StepRefused, StepsUndone
from orchestration.sagas.checkout import checkout
from orchestration.testing import step_runner
from payments.models import Ledger as PaymentsLedger
from payments.models import Payment
from payments.repairs import NothingOnHold
from payments.services import PaymentRefund
from tests.integration.admin.situations import STEPS, Situations
from tests.integration.operators.actions.conftest import EVIDENCE, asked
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

GROUNDS = {"by": "ada", "reason": "the gateway answers again", "evidence": EVIDENCE}


def settle(act, saga_id: UUID, step: str = "authorise_payment", **more):
    return act(saga_id, OperatorAction.SETTLE, step=step, evidence=EVIDENCE, **more)


def row(step: str) -> PaymentsLedger:
    return PaymentsLedger.objects.get(step=step)


def undo_the_others(situations: Situations, saga_id: UUID) -> None:
    """What workers would do: the stock was refused, the parcel was never booked."""
    refusal = {"code": "out_of_stock", "detail": "None left."}
    InventoryLedger.objects.create(
        saga_id=saga_id, step="reserve_stock", status="refused", history=["refused"], refusal=refusal, token=1
    )
    instance = situations.shop.saga(saga_id)
    known = {**instance.request, "saga_id": str(saga_id)}
    step_runner.undo(participant_of("shipping"), cancel_shipment, [Call(saga_id, "schedule_shipment", 9, known)])
    situations.report(saga_id, StepsUndone((("schedule_shipment", datetime.now(UTC)),)))


def test_refund_paid_by_hand_ends_the_saga_and_the_audit_accepts_it(unknown, situations, act, look, post):
    saga_id = unknown.refund()
    undo_the_others(situations, saga_id)
    sent = len(post.sent)
    seen = look(saga_id, OperatorAction.SETTLE, step="authorise_payment", evidence=EVIDENCE)
    assert seen.possible
    assert re.fullmatch(
        r"1\.00 GBP stays held at the gateway \(.+\): resume the saga instead to void it\.", seen.money[0]
    )
    assert Payment.objects.get().status == "authorised", "looking changes nothing"

    entry = settle(act, saga_id)

    assert (entry.code, entry.evidence) == (Code.TAKEN, EVIDENCE)
    assert row("authorise_payment").history == ["started", "done", "undoing", "undone"]
    assert row("authorise_payment").answer["authorise_payment_settled"] == GROUNDS
    assert situations.shop.saga(saga_id).phase == "compensated"
    assert situations.shop.story(saga_id)[-2:] == ["settled authorise_payment", "compensated"]
    assert len(post.sent) == sent, "nothing is called for it any more"
    found = audit(Unfinished())
    assert found.violations == []
    assert {violation.invariant for violation, _ in found.accepted} >= {"A4", "Q3"}
    assert all(evidence.endswith(f"says ada: {EVIDENCE}") for _, evidence in found.accepted)


def test_what_was_settled_at_the_gateway_is_in_our_books_too(unknown, situations, act):
    saga_id = unknown.refund()
    undo_the_others(situations, saga_id)

    assert settle(act, saga_id, facts={"status": "voided"}).was_taken
    assert Payment.objects.get().status == "voided"


def test_a_settlement_that_the_service_refuses_to_record_changes_nothing(unknown, act, monkeypatch):
    saga_id = unknown.refund()
    monkeypatch.setattr(PaymentRefund, "record_all", lambda _, replied: [NothingOnHold()])
    before = row("authorise_payment").history
    settled = settle(act, saga_id, facts={"status": "voided"})

    assert settled.code == Code.NOT_RESOLVED
    assert "payments refuses to record it" in settled.detail
    assert row("authorise_payment").history == before


def test_a_preview_says_what_stays_at_the_gateway(unknown, look):
    def money(saga_id: UUID, step: str, **facts: str) -> str:
        return look(saga_id, OperatorAction.SETTLE, step=step, evidence=EVIDENCE, facts=facts).money[0]

    assert "take the facts that you give" in money(unknown.refund(), "authorise_payment", status="voided")
    never_heard_of = money(unknown.refund("tok_timeout_before"), "authorise_payment")
    assert never_heard_of.endswith("The gateway may still hold some: check there first.")


def test_a_preview_of_a_settled_capture_says_that_the_hold_stays(unknown, look):
    said = look(unknown.capture(), OperatorAction.SETTLE, step="capture_payment", evidence=EVIDENCE).money[0]
    assert said.startswith("1.00 GBP stays held at the gateway (")
    assert said.endswith("): if it is not due any more, have it voided with the settlement: settle with `void`.")


def test_facts_that_do_not_fit_change_nothing(unknown, situations, act, look):
    saga_id = unknown.refund()
    entry = settle(act, saga_id, facts={"status": "eaten"})

    assert entry.code == Code.NOT_RESOLVED
    assert "status is not one of" in entry.detail
    seen = look(saga_id, OperatorAction.SETTLE, step="authorise_payment", evidence=EVIDENCE)
    assert "`status` is voided, refunded" in seen.facts_wanted
    assert row("authorise_payment").status == "undoing"
    assert situations.shop.saga(saga_id).parked


def test_a_step_that_the_saga_knows_too_little_of_is_not_settled_by_facts(situations, act):
    saga_id = situations.parked_after_pivot()

    entry = settle(act, saga_id, "capture_payment", facts={"status": "captured"})

    assert entry.code == Code.NOT_RESOLVED
    assert "authorisation_id is missing" in entry.detail
    assert not PaymentsLedger.objects.exists()


def test_late_compensation_of_what_was_settled_calls_nobody(unknown, situations, act, monkeypatch):
    saga_id = unknown.refund()
    settle(act, saga_id)
    refund = checkout.by_name["authorise_payment"].compensation
    assert refund is not None
    monkeypatch.setattr("payments.services.gateway", lambda: pytest.fail("it was called"))
    known = {**situations.shop.saga(saga_id).request, "saga_id": str(saga_id)}

    step_runner.undo(participant_of("payments"), refund, [Call(saga_id, "authorise_payment", 99, known)])

    assert row("authorise_payment").status == "undone"


def test_compensation_that_never_began_leaves_a_row_that_turns_a_late_action_away(situations, act, unknown):
    saga_id = situations.parked_compensation()
    settle(act, saga_id)

    assert row("authorise_payment").history == ["barred"]


def test_release_settled_outside_leaves_the_units_held_and_is_accepted(situations, act):
    saga_id = situations.running()
    situations.act(saga_id, "reserve_stock")
    situations.report(saga_id, StepRefused("authorise_payment", {"code": "card_declined", "detail": "No."}))
    situations.fail(saga_id, "reserve_stock", operation="compensation", permanent=True)

    assert settle(act, saga_id, "reserve_stock").was_taken
    assert Reservation.objects.filter(released_at=None).count() == 1


def test_capture_refused_for_good_and_paid_by_bank_completes(unknown, situations, act):
    saga_id = unknown.capture()
    entry = settle(act, saga_id, "capture_payment")

    assert entry.was_taken
    assert row("capture_payment").history == ["started", "done"]
    assert situations.shop.saga(saga_id).phase == "completed"
    assert situations.shop.story(saga_id)[-2:] == ["settled capture_payment", "completed"]
    assert audit().violations == []


def test_refusal_after_the_pivot_stays_in_the_ledger_and_the_saga_goes_past_it(situations, act, look):
    saga_id = situations.running()
    situations.act(saga_id, *STEPS[:-1])
    refusal = {"code": "card_declined", "detail": "No."}
    PaymentsLedger.objects.create(
        saga_id=saga_id,
        step="capture_payment",
        status="refused",
        history=["started", "refused"],
        refusal=refusal,
        token=1,
    )
    situations.report(
        saga_id, StepRefused("capture_payment", refusal, tuple((s, datetime.now(UTC)) for s in STEPS[:-1]))
    )

    seen = look(saga_id, OperatorAction.SETTLE, step="capture_payment", evidence=EVIDENCE)
    assert seen.will[0] == "capture_payment is refused in its service's ledger, and stays so."
    assert not seen.facts_wanted, "nothing would be done with them"
    with_facts = settle(act, saga_id, "capture_payment", facts={"capture_id": "ch_7"})
    assert with_facts.code == Code.NOT_RESOLVED
    assert "leave out capture_id, which would be written nowhere" in with_facts.detail
    entry = settle(act, saga_id, "capture_payment")
    assert (entry.was_taken, entry.detail) == (True, "The ledger row stays refused.")
    assert row("capture_payment").status == "refused"
    assert situations.shop.saga(saga_id).phase == "completed"


@pytest.mark.parametrize("make", ["running", "compensating", "failing", "barring"])
def test_what_is_not_parked_is_not_settled(situations, act, make):
    entry = settle(act, getattr(situations, make)())

    assert entry.code == Code.NOT_PARKED
    assert not PaymentsLedger.objects.exists()


def test_what_somebody_resumed_meanwhile_is_not_settled(unknown, situations, act, monkeypatch):
    """The row's lock decides: who sends the step from then on finds it settled, and who had sent it before is seen."""
    saga_id = unknown.refund()
    seen = situations.shop.saga(saga_id)
    engine.resume_saga(saga_id, by="bob", reason="it answers", now=datetime.now(UTC))
    monkeypatch.setattr("orchestration.operators.actions.perform._found", lambda _: seen)

    entry = settle(act, saga_id)

    assert entry.code == Code.NOT_RESOLVED
    assert "another operator resumed the saga" in entry.detail
    assert row("authorise_payment").status == "undoing"


def test_settled_and_resumed_at_once_has_one_effect(unknown, situations):
    saga_id = unknown.refund()
    version = situations.shop.saga(saga_id).version
    asks = [asked(OperatorAction.SETTLE, step="authorise_payment", evidence=EVIDENCE), asked(OperatorAction.RESUME)]

    entries = at_once(2, lambda number: perform(saga_id, asks[number], expected_version=version))

    settled, resumed = entries
    assert settled.was_taken or resumed.was_taken
    assert (row("authorise_payment").status == "undone") == settled.was_taken


def test_no_such_step(situations, act):
    assert settle(act, situations.running(), "no_such_step").code == Code.NO_SUCH_STEP
