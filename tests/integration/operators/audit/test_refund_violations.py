"""Refunds of placed orders: the books agree while nothing is wrong, and R1, R6, A4 and Q4 seen to fail."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from orchestration.contracts.order_changes import ChangeKind
from orchestration.models import SagaInstance
from orchestration.models.actions import OperatorAction, Via
from orchestration.operators.actions.perform import perform
from orchestration.operators.actions.preview import preview
from orchestration.operators.actions.requests import Actor, Ask
from orchestration.operators.audit.check import audit
from orchestration.operators.audit.findings import Findings
from orchestration.operators.audit.invariants import totals
from orchestration.operators.audit.violations import violations
from payments import refund_readings
from payments.gateways.sandbox.models import Operation
from payments.models import Ledger, Payment, Refund
from tests.integration.operators.audit.conftest import Found
from tests.integration.operators.audit.courier import Courier
from tests.support import order_changes
from tests.support.shop import Shop

pytestmark = pytest.mark.usefixtures("one_clock")

GIVE_BACK = Ledger.objects.filter(step="give_back")
REFUNDS = Operation.objects.filter(kind="refund")


@pytest.fixture
def refunded(completed: UUID, courier: Courier) -> UUID:
    """A completed checkout over 2.00 GBP of which 0.50 GBP were given back."""
    assert courier.settle(refund(completed, 50)) == "completed"
    assert violations() == []
    return completed


@pytest.fixture
def failed(shop: Shop, courier: Courier) -> UUID:
    """A completed checkout over 2.00 GBP whose refund of 0.50 GBP has failed, as we know by now."""
    saga_id = shop.place(basket=[(shop.sku, 2)], payment_method="tok_refund_fails_late_0")
    assert courier.settle(saga_id) == "completed"
    assert courier.settle(refund(saga_id, 50)) == "completed"
    refund_readings.read(Refund.objects.select_related("payment").get(), datetime.now(UTC))
    return saga_id


@pytest.fixture
def sums(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The messages about sums over all sagas, of which none is left out for being young."""
    monkeypatch.setattr(totals, "YOUNG", -timedelta(seconds=1))

    def found() -> list[str]:
        findings = Findings()
        totals.check(datetime.now(UTC), findings)
        return [each.message for each in findings.violations]

    return found


def refund(checkout_id: UUID, amount_minor: int) -> UUID:
    return order_changes.start(checkout_id, ChangeKind.REFUND, amount_minor=amount_minor)


@pytest.mark.parametrize("amounts", [[50], [50, 149, 1]])
def test_books_agree_after_parts_were_given_back(completed: UUID, courier: Courier, amounts: list[int]) -> None:
    assert [courier.settle(refund(completed, amount)) for amount in amounts] == ["completed"] * len(amounts)
    assert violations() == []


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (Refund.objects.all().delete, "The payment has given back 0.50 GBP, its refunds 0.00 GBP."),
        (lambda: Refund.objects.update(amount_minor=51), "The payment has given back 0.50 GBP, its refunds 0.51 GBP."),
        (
            lambda: Payment.objects.update(refunded_minor=1),
            "The payment has given back 0.01 GBP, its refunds 0.50 GBP.",
        ),
        (lambda: Refund.objects.update(amount_minor=201), "Its refunds give back 2.01 GBP, and 2.00 GBP was captured."),
        (lambda: REFUNDS.update(amount_minor=201), "The gateway captured 2.00 GBP and refunded 2.01 GBP."),
    ],
)
def test_refunds_that_do_not_add_up_are_found(
    refunded: UUID, found: Found, tamper: Callable[[], object], said: str
) -> None:
    tamper()
    assert said in found("R1")


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (GIVE_BACK.all().delete, "give_back has an effect, and its ledger row does not exist."),
        (lambda: Refund.objects.update(status="requested"), "give_back has no effect, and its ledger row is done."),
        (Refund.objects.all().delete, "give_back has no effect, and its ledger row is done."),
    ],
)
def test_a_refund_and_its_ledger_row_that_disagree_are_found(
    refunded: UUID, found: Found, tamper: Callable[[], object], said: str
) -> None:
    tamper()
    assert said in found("A4")


def test_a_refund_that_the_gateway_does_not_know_is_found(
    refunded: UUID, found: Found, sums: Callable[[], list[str]]
) -> None:
    assert sums() == []
    REFUNDS.delete()
    said = "The gateway has kept 2.00 GBP, confirmed orders are worth 1.50 GBP."
    assert said in found("Q4")
    assert sums() == [said]


def test_sums_leave_out_the_refund_of_a_change_under_way(
    refunded: UUID, courier: Courier, sums: Callable[[], list[str]]
) -> None:
    """Its refund is made, and its change is not closed."""
    courier.loses = "close_change"
    under_way = refund(refunded, 30)
    courier.deliver()
    assert REFUNDS.count() == 2
    assert sums() == []
    courier.loses = ""
    assert courier.settle(under_way) == "completed"
    assert sums() == []


def test_a_refund_that_failed_is_found_with_its_order_and_amount(failed: UUID, sums: Callable[[], list[str]]) -> None:
    [violation] = audit().violations
    refund_id = Refund.objects.get().gateway_id
    assert violation.invariant == "R6"
    assert violation.message == f"Refund {refund_id} of 0.50 GBP has failed: the customer has not got the money."
    order_id = str(SagaInstance.objects.get(pk=failed).order_id)
    assert violation.ids == {"saga": str(failed), "order": order_id, "refund": refund_id}
    assert sums() == [], "the gateway keeps it beside the worth of the order"


def test_a_refund_that_failed_without_our_knowledge_is_found(failed: UUID, found: Found) -> None:
    Refund.objects.update(status="succeeded")
    Payment.objects.update(refunded_minor=50)
    [said] = [each for each in found("Q4") if "books say" in each]
    assert said.endswith("200, 50).")


def test_a_refund_settled_outside_is_accepted(shop: Shop, courier: Courier, sums: Callable[[], list[str]]) -> None:
    saga_id = shop.place(basket=[(shop.sku, 2)], payment_method="tok_refund_refused")
    courier.settle(saga_id)
    change_id = refund(saga_id, 50)
    assert courier.settle(change_id) == "finishing"
    ask = Ask(
        OperatorAction.SETTLE, Actor("ada", 1, Via.ADMIN), step="give_back", reason="by transfer", evidence="transfer 7"
    )
    assert preview(change_id, ask).money[0] == (
        "The gateway is not called to give back 0.50 GBP, and no other change can give it back: "
        "the customer must have got it in another way."
    )
    perform(change_id, ask, expected_version=None)
    courier.deliver()
    assert SagaInstance.objects.get(pk=change_id).phase == "completed"
    findings = audit()
    assert findings.violations == []
    assert {violation.invariant for violation, _ in findings.accepted} == {"A4", "Q4"}
    assert sums() == []


def test_a_refund_reported_by_an_operator_leaves_books_that_agree(shop: Shop, courier: Courier) -> None:
    saga_id = shop.place(basket=[(shop.sku, 2)], payment_method="tok_refund_refused")
    courier.settle(saga_id)
    change_id = refund(saga_id, 50)
    courier.settle(change_id)
    held = Operation.objects.get(kind="authorise")
    by_hand = Operation.objects.create(
        kind="refund", key="by hand", authorisation=held, reference=held.reference, amount_minor=50, currency="GBP"
    )
    facts = {"refund_id": by_hand.public_id}
    ask = Ask(
        OperatorAction.SETTLE, Actor("ada", 1, Via.ADMIN), step="give_back", reason="x", evidence="y", facts=facts
    )
    perform(change_id, ask, expected_version=None)
    courier.deliver()
    assert [each.invariant for each in violations()] == ["Q6"], "the key is not one of ours"
