"""Checkouts are shown as the serializers that describe them would show them."""

import json
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from uuid import UUID

import pytest
from rest_framework.utils.encoders import JSONEncoder

from orchestration.engine.selectors import StepProgress
from orders.api.checkout_values import as_accepted, as_state
from orders.api.progress import Checkout, Failure
from orders.api.representations import AcceptedCheckout, CheckoutState, amount

GBP = partial(amount, currency="GBP")
AT = datetime(2030, 1, 1, 12, 30, 0, 120, tzinfo=UTC)

CHECKOUTS = {
    "confirmed": Checkout(
        UUID(int=1), UUID(int=2), "confirmed",
        [
            StepProgress("reserve_stock", "inventory", "done", AT.replace(microsecond=0), 1, None),
            StepProgress("place_order", "orders", "waiting", None, 0, {"class": "secret"}),
        ],
        None, GBP(1998), GBP(200), GBP(998), GBP(1000), AT, AT.astimezone(timezone(timedelta(hours=2))),
    ),
    "failed": Checkout(
        UUID(int=1), UUID(int=2), "failed", [], Failure("out_of_stock", "None left."), GBP(0), GBP(5), GBP(0), GBP(0),
        AT, None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("checkout", CHECKOUTS.values(), ids=CHECKOUTS)
def test_checkout_is_shown_as_described(checkout: Checkout) -> None:
    described = json.loads(json.dumps(CheckoutState(checkout).data, cls=JSONEncoder))
    assert as_state(checkout) == described
    assert list(as_state(checkout)) == list(described)
    accepted = json.loads(json.dumps(AcceptedCheckout(checkout).data, cls=JSONEncoder))
    assert as_accepted(checkout) == accepted
