"""One service's database is away for ten minutes: what is pending there is made good without anybody's word."""

from datetime import timedelta

import pytest

from orchestration.protocol.events import Due, StepFailed, StepRefused
from orchestration.protocol.states import Operation, Phase, State
from orchestration.protocol.transitions import decide
from orchestration.sagas.checkout import checkout
from tests.support.shop import NOT_NEEDED

OUTAGE = timedelta(minutes=10)


@pytest.mark.parametrize("jitter", [0.25, 0.5])
def test_a_compensation_outlives_a_database_that_is_away_for_ten_minutes(jitter):
    refused = StepRefused("authorise_payment", {"code": "card_declined", "detail": ""})
    decision = decide(
        checkout, State(undone=frozenset({"schedule_shipment"}), skipped=NOT_NEEDED), refused, jitter=jitter
    )
    state, passed = decision.state, timedelta(0)
    assert state.phase is Phase.COMPENSATING

    while passed < OUTAGE and not state.parked:
        failed = StepFailed("reserve_stock", Operation.COMPENSATION, state.token, {"class": "OperationalError"})
        decision = decide(checkout, state, failed, jitter=jitter)
        state = decision.state
        if decision.command is None:
            passed += decision.due or timedelta(0)
            resent = decide(checkout, state, Due(), jitter=jitter)
            state = resent.state if resent else state

    assert not state.parked, f"parked after {passed}"
