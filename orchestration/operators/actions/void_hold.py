"""The void of money that a settled capture leaves on hold. It is an option of settle, and starts in its transaction."""

from collections.abc import Mapping
from uuid import UUID

from orchestration.contracts.orders import card_minor
from orchestration.contracts.payments import capture_payment
from orchestration.contracts.repairs import HoldSettled
from orchestration.db import clocks
from orchestration.engine import engine
from orchestration.engine.row_mapping import state_of
from orchestration.models import SagaInstance
from orchestration.operators.actions.requests import Ask
from orchestration.operators.actions.rules import undoes
from orchestration.participant.participant import participant_of
from orchestration.protocol.saga import Saga
from orchestration.sagas import CUSTOMER
from orchestration.sagas.void_settled_hold import void_settled_hold

VOIDS: Mapping[str, Saga] = {capture_payment.step: void_settled_hold}
"""The definition of the saga that voids the hold, by the step that is settled."""


def why_not(instance: SagaInstance, saga: Saga, ask: Ask) -> str:
    """Explain why nothing can be voided with this settlement; return an empty text if it can.

    :raises django.db.Error: when the service's database does not answer.
    """
    reader = participant_of(saga.by_name[ask.step].action.service).money
    if ask.step not in VOIDS or reader is None or undoes(saga, state_of(instance), ask.step):
        return f"settling {ask.step} leaves no hold to void: leave out void"
    money = reader.of_sagas([instance.pk]).get(instance.pk)
    if money is None or money.held_minor <= 0:
        return "nothing is on hold in our records: leave out void"
    return ""


def start(instance: SagaInstance, step: str) -> str:
    """Start the saga that voids what this saga has on hold, and return a sentence about it.

    It runs in the caller's transaction. A second call for the same saga starts no second one.
    """
    voiding, now = VOIDS[step], clocks.now()
    order = instance.request
    request = HoldSettled(instance.pk, UUID(order["order_id"]), card_minor(order), order["currency"])
    origin = engine.Origin(CUSTOMER, idempotency_key=f"void:{instance.pk}", request_hash=voiding.name)
    started = engine.start_saga(voiding, request, saga_id=clocks.new_id(now), origin=origin, now=now)
    return f"Saga {started.saga_id} ({voiding.name}) voids what stays on hold."
