"""A charge that arrives after its payment was given up, at any time, ends at net zero."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from orchestration.contracts.payments import authorise_payment, refund_payment
from orchestration.participant.encryption import encrypt
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Done
from orchestration.participant.participant import Participant
from orchestration.participant.reconciliation import ReconciliationRound, reconcile_open_rows
from orchestration.testing import step_runner
from payments import tasks
from payments.gateways.port import GatewayTimeout
from payments.gateways.sandbox.models import LateArrival
from payments.gateways.sandbox.selectors import BookedAuthorisation, authorisations_by_key
from payments.models import Ledger, Payment
from tests.support.clock import Clock

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["payments", "gateway"]),
    pytest.mark.usefixtures("at_the_gateway", "healthy"),
]

payments: Participant = tasks.participant


@pytest.fixture
def healthy():
    """Afterwards the breaker knows nothing of what the gateway did here."""
    yield
    payments.commands[authorise_payment].breaker.close()


@pytest.fixture
def late() -> Call:
    """An authorisation that timed out and arrives after 60 seconds."""
    saga_id = uuid4()
    known: dict[str, Any] = {
        "saga_id": str(saga_id),
        "order_id": str(uuid4()),
        "total_minor": 1998,
        "currency": "GBP",
        "payment_method": encrypt("tok_arrives_late_60"),
    }
    asked = Call(UUID(known["saga_id"]), "authorise_payment", token=1, known=known)
    with pytest.raises(GatewayTimeout):
        step_runner.act(payments, authorise_payment, [asked])
    return asked


def arrived(clock: Clock) -> BookedAuthorisation:
    """The only authorisation in the gateway's books, a week later."""
    clock.sleep(timedelta(days=7).total_seconds())
    [booked] = authorisations_by_key(now=clock.now()).values()
    assert not LateArrival.objects.exists()
    return booked


def comes_to_nothing(booked: BookedAuthorisation) -> bool:
    return booked.voided and not booked.is_open and booked.captured_minor == 0


@pytest.mark.parametrize("undone_after", [0, 59, 60, 61, 600])
def test_it_ends_at_net_zero_whenever_it_is_given_up(late: Call, clock: Clock, undone_after: int) -> None:
    clock.sleep(undone_after)

    step_runner.undo(payments, refund_payment, [late])

    booked = arrived(clock)
    assert comes_to_nothing(booked)
    row = Payment.objects.get()
    assert (row.status, row.authorisation_id) == ("voided", booked.authorisation_id)


@pytest.mark.parametrize("asked_after", [30, 90])
def test_it_ends_at_net_zero_when_settling_asks_in_between(
    late: Call, clock: Clock, asked_after: int, settings
) -> None:
    settings.SETTLE_AFTER = timedelta(0)
    clock.sleep(asked_after)
    assert reconcile_open_rows(payments) == (
        ReconciliationRound(settled=1) if asked_after > 60 else ReconciliationRound(unknown=1)
    )

    step_runner.undo(payments, refund_payment, [late])

    assert comes_to_nothing(arrived(clock))
    assert Ledger.objects.get().history[-2:] == ["undoing", "undone"]


def test_it_is_kept_when_the_payment_goes_on_before_it_arrives(late: Call, clock: Clock) -> None:
    [outcome] = step_runner.act(payments, authorise_payment, [late])

    booked = arrived(clock)
    assert booked.is_open
    assert outcome == Done({"authorisation_id": booked.authorisation_id})
