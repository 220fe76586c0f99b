"""A participant whose declaration the kit cannot carry out is refused when it is made."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast
from uuid import UUID

import pytest

from orchestration.contracts.command import Action, Compensation, Lock
from orchestration.participant.breaker import Breaker
from orchestration.participant.external import ExternalCommand, Keys
from orchestration.participant.ledger import LedgerRow
from orchestration.participant.participant import BadParticipant, Participant, ParticipantCommand
from orchestration.testing.fakes import AlwaysClosedBreaker

LOCK = Lock("order", by="order_id")


@dataclass(frozen=True)
class AboutOrder:
    order_id: UUID


class Call(ExternalCommand[AboutOrder, AboutOrder]):
    def call(self, request: AboutOrder, keys: Keys) -> AboutOrder:
        return request

    def find(self, request: AboutOrder, keys: Keys) -> AboutOrder:
        return request


take_order = Action("orders.take_order", request=AboutOrder, holds=LOCK)
drop_order = Compensation("orders.drop_order", request=AboutOrder, undoes=take_order)
close_order = Action("orders.close_order", request=AboutOrder, releases=LOCK)


def made(command: ParticipantCommand) -> Participant:
    work = Call(cast(Breaker, AlwaysClosedBreaker()), timedelta(hours=1))
    return Participant("orders", LedgerRow, {command: work})  # type: ignore[type-abstract]


@pytest.mark.parametrize("command", [take_order, drop_order, close_order], ids=lambda command: command.name)
def test_external_command_that_takes_or_releases_a_lock_is_refused(command: ParticipantCommand) -> None:
    with pytest.raises(BadParticipant, match=f"{command.name} is external"):
        made(command)


def test_external_command_may_act_under_a_lock() -> None:
    assert made(replace(close_order, releases=None, under=LOCK))
