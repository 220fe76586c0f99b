"""Sagas with locks for the simulator: changes of a few orders, and transfers between a few wallets."""

import random
from dataclasses import replace
from functools import partial
from uuid import UUID

from orchestration.contracts.order_changes import ChangeRequested
from orchestration.contracts.store_credit import TransferRequested
from orchestration.protocol.saga import Saga
from orchestration.sagas import CHANGES
from orchestration.sagas.transfer_credit import transfer_credit
from orchestration.testing.simulation import Scenario
from tests.simulation import checkout
from tests.simulation.order_changes import fakes_of, request_of
from tests.support.wallets import transfer

CUSTOMERS = ("ada", "bea", "cy")


def a_change(saga: Saga, chance: random.Random) -> ChangeRequested:
    """Return the request to change one of a few orders."""
    return replace(request_of(saga), order_id=UUID(int=chance.randint(1, 3)))


def a_transfer(chance: random.Random) -> TransferRequested:
    """Return the request of a transfer between two of a few wallets, in any direction."""
    sender, receiver = chance.sample(CUSTOMERS, 2)
    return transfer(sender, receiver, 100)


FAKES = checkout.FAKES | {name: fake for saga in CHANGES for name, fake in fakes_of(saga).items()}
TRANSFER = Scenario(transfer_credit, a_transfer, weight=1.25)
SCENARIOS = [*checkout.SCENARIOS, *(Scenario(saga, partial(a_change, saga)) for saga in CHANGES), TRANSFER]
"""A fifth of the sagas takes two locks. Many wait for one another: a world has few orders and wallets."""
