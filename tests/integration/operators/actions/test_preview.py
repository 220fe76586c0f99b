"""What a preview says is what is sent then, and it changes nothing."""

import re

import pytest

from config import env
from inventory.models import Ledger as InventoryLedger
from orchestration.engine import recovery
from orchestration.models import OperatorLogEntry
from orchestration.models.actions import OperatorAction
from orchestration.participant.manual_outcome import ReportedOutcome
from orchestration.protocol.events import CancelRequested, StepRefused
from orchestration.protocol.itinerary import itinerary
from orchestration.protocol.states import Operation
from orchestration.sagas.checkout import checkout
from payments.models import Ledger, Payment
from tests.integration.admin.situations import STEPS

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

SAID = {Operation.ACTION: "executed", Operation.COMPENSATION: "compensated", Operation.BAR: "barred"}
SENDS = [
    ("running", OperatorAction.RESUME),
    ("failing", OperatorAction.RETRY),
    ("failing", OperatorAction.RESUME),
    ("barring", OperatorAction.RETRY),
    ("compensating", OperatorAction.RETRY),
    ("parked_compensation", OperatorAction.RESUME),
    ("parked_compensation", OperatorAction.RETRY),
    ("parked_compensation", OperatorAction.COMPENSATE),
    ("parked_after_pivot", OperatorAction.RESUME),
    ("running", OperatorAction.CANCEL),
    ("failing", OperatorAction.COMPENSATE),
    ("paused", OperatorAction.UNPAUSE),
]


def shown(sentences) -> list[tuple[str, str]]:
    """Steps and what is done to them, as the preview's sentences say."""
    found = (re.match(r"(\w+) is (executed|compensated|barred), through queue", each) for each in sentences)
    return [(each[1], each[2]) for each in found if each]


@pytest.mark.parametrize(("make", "action"), SENDS)
def test_what_is_shown_is_what_is_sent(situations, act, look, post, make, action):
    saga_id = getattr(situations, make)()
    seen = look(saga_id, action)
    before = len(post.sent)
    assert OperatorLogEntry.objects.count() == 0
    assert situations.shop.saga(saga_id).version == seen.version, "looking changes nothing"

    assert act(saga_id, action, expected_version=seen.version).was_taken
    recovery.run_once()

    [(_, command)] = post.sent[before:]
    assert shown(seen.will) == [(stop.step, SAID[stop.operation]) for stop in itinerary(checkout, command)[0]]


def test_queues_are_named(situations, look):
    seen = look(situations.compensating(), OperatorAction.RETRY)

    assert "payments.compensations" in seen.will[0]


def test_what_is_left_alone_is_reported_with_its_reason(situations, look):
    reported = {each.step: each.why for each in look(situations.parked_compensation(), OperatorAction.RETRY).skipped}

    assert reported == {
        "schedule_shipment": "Was refused, so it changed nothing.",
        "authorise_payment": "Stays parked.",
    }


def test_pausing_sends_nothing_and_says_so(situations, act, look, post):
    saga_id = situations.running()
    seen = look(saga_id, OperatorAction.PAUSE)
    before = len(post.sent)
    act(saga_id, OperatorAction.PAUSE)

    assert seen.will == (
        "Nothing is sent until the saga is unpaused. "
        "A message that was sent before may still be executed, and its report is recorded.",
    )
    assert (seen.skipped, seen.money) == ((), ())
    assert post.sent[before:] == []


def test_cancelled_while_paused_says_when_it_is_sent(situations, look):
    seen = look(situations.paused(), OperatorAction.CANCEL)

    assert seen.will[0] == "The saga is paused: the next message is sent when it is unpaused."
    assert shown(seen.will) == [("place_order", "barred")]


def test_cancel_says_what_may_follow(situations, look):
    seen = look(situations.running(), OperatorAction.CANCEL)

    assert (
        "these steps are compensated, in this order: schedule_shipment, authorise_payment, reserve_stock."
        in seen.will[1]
    )
    assert (
        seen.will[2] == "If place_order is already done, there is no way back: the saga continues with capture_payment."
    )


@pytest.mark.parametrize(
    ("done", "action", "money"),
    [
        ((), OperatorAction.RESUME, ("1.00 GBP is put on hold.", "1.00 GBP is taken from what is on hold.")),
        (STEPS[:2], OperatorAction.RESUME, ("1.00 GBP is taken from what is on hold.",)),
        (STEPS[:2], OperatorAction.CANCEL, ("If place_order is barred: 1.00 GBP on hold is let go (REFERENCE).",)),
        (
            (),
            OperatorAction.CANCEL,
            ("If place_order is barred: if 1.00 GBP is on hold without our knowledge, it is voided.",),
        ),
    ],
)
def test_money_is_reported_in_words_and_amounts(situations, look, done, action, money):
    saga_id = situations.running()
    situations.act(saga_id, *done)
    reference = getattr(Payment.objects.first(), "authorisation_id", "")

    assert look(saga_id, action).money == tuple(each.replace("REFERENCE", reference) for each in money)


def test_captured_money_is_asked_to_be_refunded(situations, look):
    saga_id = situations.running()
    situations.act(saga_id, "reserve_stock", "authorise_payment")
    situations.report(saga_id, StepRefused("schedule_shipment", {"code": "cannot_deliver", "detail": "Not there."}))
    Payment.objects.update(status="captured", capture_id="C1", captured_minor=100)

    [reported] = look(saga_id, OperatorAction.RETRY).money
    assert reported.startswith("1.00 GBP that was taken is refunded")


def test_resolving_is_rehearsed_and_taken_back(unknown, situations, look):
    saga_id = unknown.authorisation()
    said = {"outcome": ReportedOutcome.DONE, "facts": {"authorisation_id": "A7"}, "evidence": "statement 7"}
    seen = look(saga_id, OperatorAction.RESOLVE, step="authorise_payment", **said)

    assert seen.possible
    assert seen.will[0] == "authorise_payment is started in its service's ledger, and becomes done."
    assert "authorisation_id" in seen.facts_wanted
    assert Ledger.objects.get().status == "started"
    assert not Payment.objects.exists()


def test_previews_of_every_situation_and_action_are_made(situations, look):
    for saga_id in situations.every():
        for action in OperatorAction:
            more = {"step": "reserve_stock", "evidence": "it"} if action is OperatorAction.SETTLE else {}
            if action is not OperatorAction.RESOLVE:
                seen = look(saga_id, action, **more)
                assert seen.possible == bool(seen.will)
                assert seen.possible != bool(seen.why_not)
    assert not InventoryLedger.objects.exists()
    assert not OperatorLogEntry.objects.exists()


def test_version_is_the_one_that_was_looked_at(situations, act, look):
    saga_id = situations.running()
    seen = look(saga_id, OperatorAction.CANCEL)
    situations.report(saga_id, CancelRequested())

    assert act(saga_id, OperatorAction.COMPENSATE, expected_version=seen.version).code == "changed_meanwhile"
