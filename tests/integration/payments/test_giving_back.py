"""Money of placed orders is given back: in part, several times, to the last penny, and each refund once."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.db import IntegrityError

from orchestration import failpoints
from orchestration.contracts.codec import encode
from orchestration.contracts.store_credit import SpendCredit, spend_credit
from orchestration.failpoints import Failpoint
from orchestration.operators.insight.money import MoneyLine, money_line
from orchestration.participant.ledger import Status
from orchestration.participant.ledger_store import Call
from orchestration.participant.manual_conclusion import resolve
from orchestration.participant.manual_outcome import Grounds, NotResolved, ReportedOutcome, Statement
from orchestration.participant.outcomes import Done, Refused
from orchestration.participant.participant import Participant
from orchestration.testing import step_runner
from payments import refunds
from payments.gateways.port import (
    GatewayBroken,
    GatewayRefund,
    GatewayTimeout,
    NotPossible,
)
from payments.gateways.sandbox.gateway import SandboxGateway
from payments.models import Ledger, Refund
from payments.refund_rows import NotCapturedYet
from payments.services import RefundFailed
from tests.support.clock import Clock
from tests.support.paid_orders import TOTAL, PaidOrder, paid
from tests.support.threads import at_once
from tests.support.wallets import balances, granted, movements

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["payments", "gateway"]),
    pytest.mark.usefixtures("at_the_gateway"),
]


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Crash:
    """Ends the process the first time it comes to one side of a failpoint."""

    side: str
    kind: str
    reached: bool = False

    def before(self, failpoint: Failpoint) -> None:
        self._reach("before", failpoint)

    def after(self, failpoint: Failpoint) -> None:
        self._reach("after", failpoint)

    def times(self, failpoint: Failpoint) -> int:
        return 1

    def _reach(self, side: str, failpoint: Failpoint) -> None:
        if not self.reached and (side, failpoint.kind) == (self.side, self.kind):
            self.reached = True
            raise Killed


@pytest.fixture
def order(participant: Participant) -> PaidOrder:
    return paid(participant)


def refunded_there(gateway: SandboxGateway, order: PaidOrder) -> list[int]:
    return [each.amount_minor for each in gateway.look_up(order.payment.authorisation_id).refunds]


def history(call: Call) -> list[str]:
    return Ledger.objects.get(saga_id=call.saga_id, step="give_back").history


def answered(amount_minor: int) -> Done:
    return Done({"to_card_minor": amount_minor, "to_credit_minor": 0})


def test_a_part_is_given_back_and_the_payment_stays_captured(order: PaidOrder, gateway: SandboxGateway) -> None:
    call = order.change(500)
    assert order.give_back(call) == answered(500)
    refund = Refund.objects.get()
    [there] = gateway.look_up(order.payment.authorisation_id).refunds
    assert (order.payment.status, order.payment.captured_minor, order.payment.refunded_minor) == (
        "captured",
        TOTAL,
        500,
    )
    assert (refund.saga_id, refund.status, refund.destination, refund.origin, refund.reason) == (
        *(call.saga_id, "succeeded", "card", "ours"),
        "broken",
    )
    assert (refund.gateway_id, refund.amount_minor) == (there.refund_id, there.amount_minor)
    assert history(call) == [Status.STARTED, Status.DONE]


def test_several_parts_are_given_back_to_the_last_penny_and_no_more(order: PaidOrder, gateway: SandboxGateway) -> None:
    for amount in (1000, 997, 1):
        assert order.give_back(amount) == answered(amount)
    assert order.payment.status == "refunded"
    outcome = order.give_back(1)
    assert isinstance(outcome, Refused)
    assert (outcome.refusal["code"], outcome.refusal["facts"]) == ("refund_exceeds_captured", {"refundable": 0})
    assert refunded_there(gateway, order) == [1000, 997, 1]


def test_more_than_is_left_is_refused_before_the_gateway_is_asked(order: PaidOrder, gateway: SandboxGateway) -> None:
    order.give_back(1500)
    outcome = order.give_back(499)
    assert isinstance(outcome, Refused)
    assert outcome.refusal["facts"] == {"refundable": 498}
    assert refunded_there(gateway, order) == [1500]
    assert Refund.objects.count() == 1


def test_a_message_that_comes_again_gives_back_once(order: PaidOrder, gateway: SandboxGateway) -> None:
    call = order.change(500)
    assert order.give_back(call) == order.give_back(call)
    assert refunded_there(gateway, order) == [500]
    assert order.payment.refunded_minor == 500


def test_twenty_refunds_at_once_give_back_to_the_last_penny(order: PaidOrder, gateway: SandboxGateway) -> None:
    outcomes = at_once(20, lambda _: order.give_back(TOTAL // 9))
    assert sum(isinstance(outcome, Done) for outcome in outcomes) == 9
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 11
    assert (order.payment.status, order.payment.refunded_minor) == ("refunded", TOTAL)
    assert refunded_there(gateway, order) == [TOTAL // 9] * 9


def test_one_refund_in_eight_threads_gives_back_once(order: PaidOrder, gateway: SandboxGateway) -> None:
    call = order.change(500)
    outcomes = at_once(8, lambda _: order.give_back(call))
    assert all(outcome == answered(500) for outcome in outcomes)
    assert refunded_there(gateway, order) == [500]
    assert order.payment.refunded_minor == 500


def test_the_amount_is_set_aside_before_the_gateway_is_called(
    order: PaidOrder, gateway: SandboxGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two refunds of all the money: while the first one's call is under way, the second is not even called."""
    refund, others = gateway.refund, []

    def slow(*args: Any, **kwargs: Any) -> GatewayRefund:
        monkeypatch.setattr(gateway, "refund", lambda *_, **__: pytest.fail("the second refund is called"))
        others.append(order.give_back(TOTAL))
        return refund(*args, **kwargs)

    monkeypatch.setattr(gateway, "refund", slow)
    assert order.give_back(TOTAL) == answered(TOTAL)
    assert [isinstance(other, Refused) for other in others] == [True]


@pytest.mark.parametrize("kind", ["claim", "call", "conclude"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_crash_at_any_failpoint_gives_back_once(
    order: PaidOrder, gateway: SandboxGateway, side: str, kind: str
) -> None:
    call = order.change(500)
    crash = Crash(side, kind)
    with failpoints.armed(crash), pytest.raises(Killed):
        order.give_back(call)
    assert crash.reached
    assert order.give_back(call) == answered(500)
    assert refunded_there(gateway, order) == [500]
    assert order.payment.refunded_minor == 500
    assert Refund.objects.get().status == "succeeded"


def test_a_crash_after_the_amount_was_set_aside_gives_back_once(
    order: PaidOrder, gateway: SandboxGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    call = order.change(500)
    with monkeypatch.context() as patched:
        patched.setattr(gateway, "refund", killed)
        with pytest.raises(Killed):
            order.give_back(call)
    assert (order.payment.refunded_minor, refunded_there(gateway, order)) == (500, [])
    assert order.give_back(call) == answered(500)
    assert (order.payment.refunded_minor, refunded_there(gateway, order)) == (500, [500])


@pytest.mark.parametrize(
    ("token", "error"),
    [
        ("tok_refund_timeout_before", GatewayTimeout),
        ("tok_refund_timeout_after", GatewayTimeout),
        ("tok_refund_fail_1", GatewayBroken),
    ],
)
def test_an_unanswered_call_is_looked_for_and_gives_back_once(
    participant: Participant, gateway: SandboxGateway, token: str, error: type[Exception]
) -> None:
    order = paid(participant, token)
    call = order.change(500)
    with pytest.raises(error):
        order.give_back(call)
    assert order.payment.refunded_minor == 500, "it may have been given back, so it is not given back to anybody else"
    assert order.give_back(call) == answered(500)
    assert refunded_there(gateway, order) == [500]
    assert history(call) == [Status.STARTED, Status.DONE]


def test_a_refund_of_the_same_amount_is_not_taken_for_this_one(
    participant: Participant, gateway: SandboxGateway
) -> None:
    order = paid(participant, "tok_refund_timeout_before")
    calls = [order.change(500), order.change(500)]
    for call in calls:
        with pytest.raises(GatewayTimeout):
            order.give_back(call)
    assert [order.give_back(call) for call in calls] == [answered(500)] * 2
    assert refunded_there(gateway, order) == [500, 500]


def test_nothing_to_give_back_is_done_without_the_gateway(
    participant: Participant, gateway: SandboxGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = PaidOrder(participant, total_minor=0).authorised().captured()
    monkeypatch.setattr(refunds, "gateway", lambda: pytest.fail("the gateway is asked"))
    assert free.give_back(0) == answered(0)
    assert free.payment.status == "captured"
    assert (Refund.objects.get().status, Refund.objects.get().amount_minor) == ("succeeded", 0)


def test_a_free_order_gives_no_money_back(participant: Participant) -> None:
    free = PaidOrder(participant, total_minor=0).authorised().captured()
    outcome = free.give_back(1)
    assert isinstance(outcome, Refused)
    assert outcome.refusal["code"] == "refund_exceeds_captured"


def test_an_order_whose_payment_is_unknown_gives_no_money_back(participant: Participant) -> None:
    outcome = PaidOrder(participant).give_back(1)
    assert isinstance(outcome, Refused)
    assert outcome.refusal["facts"] == {"refundable": 0}


def test_money_that_is_not_captured_yet_is_given_back_later(participant: Participant) -> None:
    order = PaidOrder(participant).authorised()
    call = order.change(500)
    with pytest.raises(NotCapturedYet):
        order.give_back(call)
    assert order.captured().give_back(call) == answered(500)


def test_a_pending_refund_ends_the_step(participant: Participant, gateway: SandboxGateway) -> None:
    order = paid(participant, "tok_refund_pending_60")
    assert order.give_back(TOTAL) == answered(TOTAL)
    assert (Refund.objects.get().status, order.payment.status) == ("pending", "refunded")
    assert isinstance(order.give_back(1), Refused)


def test_a_refund_that_has_failed_when_it_is_looked_for_is_left_to_an_operator(
    participant: Participant, gateway: SandboxGateway, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = paid(participant, "tok_refund_fails_late_60")
    call = order.change(500)
    refund = gateway.refund

    def unheard(*args: Any, **kwargs: Any) -> None:
        refund(*args, **kwargs)
        raise GatewayTimeout

    monkeypatch.setattr(gateway, "refund", unheard)
    with pytest.raises(GatewayTimeout):
        order.give_back(call)
    clock.sleep(60)
    with pytest.raises(RefundFailed):
        order.give_back(call)
    assert history(call) == [Status.STARTED]


def test_what_the_gateway_refuses_is_settled_with_the_refund_that_a_person_made(participant: Participant) -> None:
    order = paid(participant, "tok_refund_refused")
    call = order.change(500)
    with pytest.raises(NotPossible):
        order.give_back(call)
    grounds = Grounds("ada", "refunded by hand", "dashboard")
    with pytest.raises(NotResolved, match="refund_id"):
        resolve(participant, call.saga_id, "give_back", Statement(ReportedOutcome.DONE, grounds))
    resolve(participant, call.saga_id, "give_back", Statement(ReportedOutcome.DONE, grounds, {"refund_id": "re_7"}))
    refund = Refund.objects.get()
    assert (refund.gateway_id, refund.status, refund.origin) == ("re_7", "succeeded", "gateway")
    assert order.payment.refunded_minor == 500
    assert history(call) == [Status.STARTED, Status.DONE]


def test_a_refund_to_store_credit_leaves_the_money_at_the_gateway(order: PaidOrder, gateway: SandboxGateway) -> None:
    assert order.give_back(order.change(500, refund_to="credit")) == given_back(0, 500)
    assert (refunded_there(gateway, order), order.payment.refunded_minor) == ([], 500)
    assert (balances(), movements()) == ({"7": 500}, [("refunded", 500)])


def test_more_than_was_paid_never_goes_back_to_card_and_store_credit_together(order: PaidOrder) -> None:
    order.give_back(order.change(TOTAL - 1, refund_to="credit"))
    refused = order.give_back(2)
    assert isinstance(refused, Refused)
    assert refused.refusal["facts"] == {"refundable": 1}
    assert order.give_back(1) == given_back(1, 0)
    assert (order.payment.refunded_minor, order.payment.status) == (TOTAL, "refunded")


@pytest.mark.parametrize(
    ("refunds", "to_card", "to_credit"),
    [
        ([("payment", 1000)], 1000, 0),
        ([("payment", TOTAL)], 1500, 498),
        ([("payment", 1400), ("payment", 500)], 1500, 400),
        ([("credit", 600)], 0, 600),
        ([("credit", 600), ("payment", TOTAL - 600)], 1398, 600),
    ],
)
def test_money_goes_back_the_way_it_was_paid_the_card_first(
    participant: Participant, gateway: SandboxGateway, refunds: list[tuple[str, int]], to_card: int, to_credit: int
) -> None:
    order = part_paid(participant, credit_minor=498)
    for refund_to, amount_minor in refunds:
        call = order.change(amount_minor, refund_to)
        for _ in range(2):
            assert isinstance(order.give_back(call), Done)
    assert (sum(refunded_there(gateway, order)), balances()["7"]) == (to_card, to_credit)
    assert isinstance(order.give_back(TOTAL - to_card - to_credit + 1), Refused)


def test_order_that_store_credit_paid_is_refunded_without_the_gateway(
    participant: Participant, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = part_paid(participant, credit_minor=TOTAL)
    monkeypatch.setattr(refunds, "gateway", lambda: pytest.fail("the gateway is asked"))
    assert order.give_back(500) == given_back(0, 500)
    assert order.give_back(0) == given_back(0, 0)
    assert balances() == {"7": 500}


def test_only_what_is_refunded_to_the_card_can_be_in_limbo(
    participant: Participant, gateway: SandboxGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    order = part_paid(participant, credit_minor=498)
    call = order.change(TOTAL)
    with monkeypatch.context() as patched:
        patched.setattr(gateway, "refund", killed)
        with pytest.raises(Killed):
            order.give_back(call)
    assert participant.money is not None
    money = participant.money.of_sagas([call.saga_id])[call.saga_id]
    line = money_line(money, participant.money, Ledger.objects.filter(saga_id=call.saga_id), {})
    assert isinstance(line, MoneyLine)
    assert line.in_limbo_minor == 1500
    order.give_back(call)
    assert participant.money.of_sagas([call.saga_id])[call.saga_id].requested_minor == 0


def test_order_that_cost_nothing_gives_nothing_back(participant: Participant) -> None:
    assert PaidOrder(participant).give_back(0) == given_back(0, 0)
    assert isinstance(PaidOrder(participant).give_back(1), Refused)


def given_back(to_card_minor: int, to_credit_minor: int) -> Done:
    return Done({"to_card_minor": to_card_minor, "to_credit_minor": to_credit_minor})


def part_paid(participant: Participant, credit_minor: int) -> PaidOrder:
    """An order of which store credit has paid a part, and the card the rest."""
    order = PaidOrder(participant, total_minor=TOTAL - credit_minor)
    granted("7", credit_minor)
    spent = SpendCredit(order.checkout_id, order.order_id, "7", credit_minor, "GBP")
    step_runner.act(participant, spend_credit, [Call(order.checkout_id, spend_credit.step, 1, encode(spent))])
    return order.authorised().captured() if order.total_minor else order


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"amount_minor": -1}, "refund_amount_not_negative"),
        ({"destination": "cash"}, "refund_destination_is_known"),
        ({"status": "lost"}, "refund_status_is_known"),
        ({"origin": "bank"}, "refund_origin_is_known"),
    ],
)
def test_a_refund_that_breaks_a_rule_is_turned_away(order: PaidOrder, wrong: dict[str, Any], rule: str) -> None:
    order.give_back(500)
    with pytest.raises(IntegrityError, match=rule):
        Refund.objects.update(**wrong)


@pytest.mark.parametrize(
    ("copied", "rule"),
    [({"gateway_id": "another"}, "refund_one_per_step"), ({"step": "x"}, "refund_belongs_to_one_call")],
)
def test_a_second_row_of_one_refund_is_turned_away(order: PaidOrder, copied: dict[str, Any], rule: str) -> None:
    order.give_back(500)
    refund = Refund.objects.get()
    refund.pk = None
    for name, value in copied.items():
        setattr(refund, name, value)
    with pytest.raises(IntegrityError, match=rule):
        refund.save(force_insert=True)
