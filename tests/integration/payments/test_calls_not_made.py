"""What the gateway is not called for: a free order, and a payment method that no key opens. No row says that it was."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.fernet import Fernet
from django.conf import settings as django_settings

from orchestration.contracts.payments import authorise_payment, capture_payment, refund_payment
from orchestration.execution.results import Ending
from orchestration.execution.scheduler import INLINE
from orchestration.participant.breaker import Breaker
from orchestration.participant.breaker_redis import connect
from orchestration.participant.encryption import SealBroken, encrypt
from orchestration.participant.executor import works_of
from orchestration.participant.ledger import Status
from orchestration.participant.ledger_store import Call
from orchestration.participant.manual_conclusion import resolve
from orchestration.participant.manual_outcome import Grounds, ReportedOutcome, Statement
from orchestration.participant.outcomes import Done
from orchestration.participant.participant import Participant
from orchestration.participant.reconciliation import ReconciliationRound, reconcile_open_rows
from orchestration.testing import step_runner
from orchestration.testing.step_runner import message_of
from payments import services, tasks
from payments.gateways.port import GatewayTimeout
from payments.gateways.sandbox.gateway import SandboxGateway
from payments.models import Ledger, Payment
from tests.support.external import external_commands, replaced

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["payments", "gateway"]),
    pytest.mark.usefixtures("at_the_gateway"),
]
LOST = Fernet(Fernet.generate_key()).encrypt(b"tok_ok").decode()
"""Encrypted with a key that this process does not have."""


@pytest.fixture
def payments() -> Iterator[Participant]:
    """Payments with a breaker of its own."""
    works = external_commands(tasks.participant)
    [counts] = {work.breaker.counts for work in works.values()}
    redis = lambda: connect(django_settings.REDIS_URL)  # noqa: E731  as short as a name
    breaker = Breaker(f"test.{uuid4().hex}", redis=redis, counts=counts, fail_max=3)
    yield Participant("payments", Ledger, {each: replace(work, breaker=breaker) for each, work in works.items()})
    breaker.close()


def asked(*, total_minor: int = 1998, payment_method: str = "") -> Call:
    saga_id = uuid4()
    known = {
        "saga_id": str(saga_id),
        "order_id": str(uuid4()),
        "total_minor": total_minor,
        "currency": "GBP",
        "payment_method": payment_method or encrypt("tok_ok"),
    }
    return Call(saga_id, authorise_payment.step, token=1, known=known)


def statuses() -> dict[UUID, str]:
    return dict(Ledger.objects.filter(step=authorise_payment.step).values_list("saga_id", "status"))


def authorised(payments: Participant, call: Call) -> Call:
    """The call of the capture that follows."""
    [outcome] = step_runner.act(payments, authorise_payment, [call])
    assert isinstance(outcome, Done)
    return replace(call, step=capture_payment.step, known=call.known | outcome.answer)


def _breaker_of(payments: Participant) -> Breaker:
    [breaker] = {work.breaker for work in external_commands(payments).values()}
    return breaker


@pytest.fixture
def unreachable(payments: Participant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The breaker is open, and whatever is asked of the gateway all the same fails the test."""
    monkeypatch.setattr(services, "gateway", lambda: pytest.fail("the gateway is asked"))
    _breaker_of(payments).force_open()


@pytest.mark.usefixtures("unreachable")
def test_free_order_is_paid_while_the_gateway_cannot_be_asked(payments: Participant) -> None:
    call = asked(total_minor=0, payment_method=LOST)
    for _ in range(2):
        captures = authorised(payments, call)
    for _ in range(2):
        [captured] = step_runner.act(payments, capture_payment, [captures])
    assert captured == Done({"capture_id": f"free_{call.saga_id}"})
    assert Payment.objects.get().status == "captured"


@pytest.mark.usefixtures("unreachable")
def test_payment_of_a_free_order_is_voided_while_the_gateway_cannot_be_asked(payments: Participant) -> None:
    call = asked(total_minor=0)
    authorised(payments, call)
    for _ in range(2):
        step_runner.undo(payments, refund_payment, [call])
    assert Payment.objects.get().status == "voided"
    assert statuses() == {call.saga_id: Status.UNDONE}


@pytest.mark.usefixtures("unreachable")
def test_free_order_that_is_undone_first_is_barred(payments: Participant) -> None:
    call = asked(total_minor=0)
    step_runner.undo(payments, refund_payment, [call])
    step_runner.act(payments, authorise_payment, [call])
    assert statuses() == {call.saga_id: Status.BARRED}
    assert not Payment.objects.exists()


@pytest.mark.usefixtures("unreachable")
@pytest.mark.parametrize("ended_by", ["settling", "a person", "its compensation"])
def test_free_order_whose_worker_died_is_concluded(payments: Participant, settings: Any, ended_by: str) -> None:
    settings.SETTLE_AFTER = -settings.SETTLE_AFTER
    call = asked(total_minor=0)
    payments.rows.claim([call], Status.STARTED, keep_request=True)
    if ended_by == "settling":
        _breaker_of(payments).close()  # a question is no probe
        assert reconcile_open_rows(payments) == ReconciliationRound(settled=1)
    elif ended_by == "a person":
        word = Statement(
            ReportedOutcome.DONE, Grounds("ann", "why", "ticket"), {"authorisation_id": "of another order"}
        )
        resolve(payments, call.saga_id, call.step, word)
    else:
        step_runner.undo(payments, refund_payment, [call])
    ids = list(Payment.objects.values_list("authorisation_id", flat=True))
    assert ids == ([] if ended_by == "its compensation" else [f"free_{call.saga_id}"])


def test_zero_that_an_earlier_version_took_to_the_gateway_goes_on_there(
    payments: Participant, gateway: SandboxGateway
) -> None:
    call = asked(total_minor=0)
    works = external_commands(payments)
    asking = {each: replaced(work, local_reply=lambda _: None) for each, work in works.items()}
    asking_always = replace(payments, commands=asking)
    authorised(asking_always, call)
    step_runner.undo(payments, refund_payment, [call])
    assert gateway.look_up(Payment.objects.get().authorisation_id).status == "voided"


def test_payment_method_that_no_key_opens_leaves_no_row_and_is_barred_at_once(payments: Participant) -> None:
    call = asked(payment_method=LOST)
    for _ in range(2):
        with pytest.raises(SealBroken):
            step_runner.act(payments, authorise_payment, [call])
    assert statuses() == {}
    step_runner.undo(payments, refund_payment, [call])
    assert statuses() == {call.saga_id: Status.BARRED}


def test_of_a_batch_only_the_payment_whose_method_no_key_opens_fails(payments: Participant) -> None:
    calls = [asked(), asked(payment_method=LOST), asked()]
    endings: list[Ending] = []

    work = works_of(payments)[authorise_payment.name](endings.extend, INLINE)
    work([message_of(authorise_payment.name, call) for call in calls])  # and the calls are never made

    [ending] = endings
    assert (ending.message.sagas, type(ending.error).__name__) == ([calls[1].saga_id], "SealBroken")
    assert statuses() == {calls[0].saga_id: Status.STARTED, calls[2].saga_id: Status.STARTED}


def test_what_may_have_been_called_is_asked_after_although_no_key_opens_it_any_more(payments: Participant) -> None:
    call = asked(payment_method=encrypt("tok_timeout_after"))
    with pytest.raises(GatewayTimeout):
        step_runner.act(payments, authorise_payment, [call])
    call.known["payment_method"] = LOST
    assert isinstance(step_runner.act(payments, authorise_payment, [call])[0], Done)
