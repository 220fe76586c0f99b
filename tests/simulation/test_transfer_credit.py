"""Transfers of store credit in the simulator: each ends, and moves the credit once or not at all."""

from orchestration.sagas.transfer_credit import transfer_credit
from orchestration.testing import sweep
from tests.support.wallets import transfer


def test_a_transfer_survives_every_fault_at_every_failpoint() -> None:
    assert sweep(transfer_credit, transfer("7", "8", 5)).unfired == 0
