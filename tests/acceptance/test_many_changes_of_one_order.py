"""Changes of one order that are all asked for at once: none overlaps, and none asks for its turn too often."""

from datetime import timedelta

import pytest

from tests.storm.changes import change_one_order

pytestmark = pytest.mark.usefixtures("audited")


def test_many_changes_of_one_order_take_turns(shop, shared_worker):
    """`make storm` does the same with a thousand."""
    found = change_one_order(40, patience=timedelta(seconds=100))

    assert found.refunded_minor == found.ends["completed"] > 5
    assert found.refused.keys() <= {"resource_busy"}  # on a slow machine the patience of some is over
    assert found.sent <= found.sent_at_most
