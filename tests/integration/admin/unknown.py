"""Sagas with a step whose outcome nobody knows, brought there through the engine and the participant kit."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from orchestration.participant.external import ExternalCommand
from orchestration.participant.ledger_store import Call
from orchestration.participant.participant import participant_of
from orchestration.protocol.events import StepRefused
from orchestration.protocol.states import Operation
from orchestration.sagas.checkout import checkout
from orchestration.testing import step_runner
from payments.gateways.port import GatewayBroken, GatewayTimeout
from payments.models import Payment
from shipping.carriers.port import CarrierBroken, CarrierTimeout
from tests.integration.admin.situations import STEPS, Situations
from tests.support.external import replaced

OUTAGES = (GatewayTimeout, GatewayBroken, CarrierTimeout, CarrierBroken)


class Unknown:
    """Makes them. Nobody else works on them: no worker runs."""

    def __init__(self, situations: Situations) -> None:
        self._situations = situations
        self._shop = situations.shop

    def authorisation(self, token: str = "tok_timeout_before") -> UUID:
        """Asked for, and never answered."""
        saga_id = self._shop.place(payment_method=token)
        self._try(saga_id, "authorise_payment")
        self._situations.fail(saga_id, "authorise_payment")
        return saga_id

    def refund(self, token: str = "tok_void_fail_1") -> UUID:
        """The hold is written down, or with another token unknown as well; its reversal is parked."""
        saga_id = self._shop.place(payment_method=token)
        self._try(saga_id, "authorise_payment")
        self._park_compensation(saga_id, "authorise_payment")
        return saga_id

    def capture(self) -> UUID:
        """Pending after the pivot, asked for, and parked."""
        saga_id = self._shop.place(payment_method="tok_capture_fail_1")
        self._situations.act(saga_id, *STEPS[:-1])
        self._try(saga_id, "capture_payment", authorisation_id=Payment.objects.get().authorisation_id)
        self._situations.fail(saga_id, "capture_payment", permanent=True)
        return saga_id

    def shipment(self) -> UUID:
        """Asked for, and never answered."""
        saga_id = self._shop.place(line2="carrier_timeout_before")
        self._try(saga_id, "schedule_shipment")
        self._situations.fail(saga_id, "schedule_shipment")
        return saga_id

    def cancellation(self, line2: str = "carrier_cancel_fail_1") -> UUID:
        """The parcel is written down, or with another token unknown as well; its cancellation is parked."""
        saga_id = self._shop.place(line2=line2)
        self._try(saga_id, "schedule_shipment")
        self._park_compensation(saga_id, "schedule_shipment")
        return saga_id

    def again(self, saga_id: UUID, step: str) -> Any:
        """What the action answers at its next try."""
        action = checkout.by_name[step].action
        return step_runner.act(participant_of(action.service), action, [self._call(saga_id, step)])[0]

    def _try(self, saga_id: UUID, step: str, **facts: str) -> None:
        action = checkout.by_name[step].action
        try:
            step_runner.act(participant_of(action.service), action, [self._call(saga_id, step, **facts)])
        except OUTAGES:
            self._heal(action.service)

    def _park_compensation(self, saga_id, step):
        compensation = checkout.by_name[step].compensation
        service = participant_of(compensation.service)
        ill = replaced(service.commands[compensation], call=_out_of_order)
        sick = replace(service, commands={**service.commands, compensation: ill})
        with pytest.raises(GatewayBroken):
            step_runner.undo(sick, compensation, [self._call(saga_id, step)])
        self._heal(compensation.service)
        refusal = {"code": "out_of_stock", "detail": "None left."}
        self._situations.report(saga_id, StepRefused("reserve_stock", refusal))
        self._situations.fail(saga_id, step, operation=Operation.COMPENSATION, permanent=True)

    def _call(self, saga_id: UUID, step: str, **facts: str) -> Call:
        instance = self._shop.saga(saga_id)
        return Call(saga_id, step, instance.token, {**instance.request, "saga_id": str(saga_id), **facts})

    @staticmethod
    def _heal(service):
        for work in participant_of(service).commands.values():
            if isinstance(work, ExternalCommand):
                work.breaker.close()


def _out_of_order(request: Any, keys: Any) -> None:
    raise GatewayBroken("503")
