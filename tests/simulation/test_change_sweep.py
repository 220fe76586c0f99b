"""Every single fault at every failpoint of each change of an order, alone and with a rival, in the simulator."""

from typing import Any

import pytest

from orchestration.failpoints import FailpointKind
from orchestration.protocol.saga import Saga
from orchestration.sagas import CHANGES
from tests.simulation.order_changes import fakes_of, request_of


@pytest.mark.parametrize("saga", CHANGES, ids=lambda saga: saga.name)
def test_a_change_survives_every_fault_at_every_failpoint(saga: Saga, saga_sweep: Any) -> None:
    found = saga_sweep(saga, request_of(saga), fakes_of(saga))

    assert found.unfired == 0
    kinds = {failpoint.partition(" ")[0] for failpoint in found.ends}
    assert kinds >= {FailpointKind.GRANT, FailpointKind.LET_GO}
    assert {f"grant orders.{saga.steps[0].name}", "let_go orders.drop_change", "let_go orders.close_change"} <= {
        *found.ends
    }
    for step in saga.steps:
        assert f"publish {step.action.name}" in found.ends
    assert "decide LockGranted" in found.ends
