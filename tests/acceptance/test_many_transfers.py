"""Transfers between a few wallets in any direction, a few at a time: some wait for each other, and all end."""

import random
from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.db.models import Sum
from uuid_utils.compat import uuid7

from orchestration.contracts.store_credit import TransferRequested
from orchestration.engine import engine
from orchestration.models import Deadlock, SagaInstance
from orchestration.protocol.states import ENDED, Phase
from orchestration.sagas.transfer_credit import transfer_credit
from payments.models import Wallet, WalletMovement
from payments.wallets import grant_credit
from tests.support.wait import wait_for

pytestmark = pytest.mark.usefixtures("audited")

CUSTOMERS = [f"customer-{number}" for number in range(10)]
GRANTED_MINOR = 1000
TRANSFERS = 200
AT_A_TIME = 8


def test_transfers_in_any_direction_all_end_and_lose_no_credit(workforce, shared_worker) -> None:
    for customer in CUSTOMERS:
        grant_credit(
            grant_id=uuid7(), customer_id=customer, currency="GBP", amount_minor=GRANTED_MINOR, by="kim", reason="test"
        )
    chance = random.Random(1)

    for _ in range(TRANSFERS):
        wait_for(lambda: unfinished() < AT_A_TIME, seconds=60, what="the end of a transfer")
        start(chance)
    wait_for(lambda: not unfinished(), seconds=120, what="the end of all transfers")

    ends = Counter(SagaInstance.objects.values_list("phase", flat=True))
    assert (
        ends[Phase.COMPLETED] + ends[Phase.COMPENSATED]
        == TRANSFERS + SagaInstance.objects.filter(retry_of__isnull=False).count()
    )
    assert Deadlock.objects.count() <= TRANSFERS / 10
    assert Wallet.objects.aggregate(Sum("balance_minor")) == {"balance_minor__sum": GRANTED_MINOR * len(CUSTOMERS)}
    received = WalletMovement.objects.filter(kind=WalletMovement.Kind.TRANSFERRED_IN)
    assert received.count() == ends[Phase.COMPLETED]


def start(chance: random.Random) -> UUID:
    sender, receiver = chance.sample(CUSTOMERS, 2)
    request = TransferRequested.between(sender, receiver, 10, "GBP", requested_by="kim", reason="a test")
    saga_id, now = uuid7(), datetime.now(UTC)
    origin = engine.Origin(sender, str(saga_id), "hash")
    return engine.start_saga(transfer_credit, request, saga_id=saga_id, origin=origin, now=now).saga_id


def unfinished() -> int:
    return SagaInstance.objects.exclude(phase__in=list(ENDED)).count()
