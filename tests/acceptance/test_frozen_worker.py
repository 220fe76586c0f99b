"""A worker that is frozen in the middle of a transaction: its locks and its messages do not stay with it."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.shop import Shop
from tests.support.wait import wait_for

pytestmark = pytest.mark.usefixtures("audited")

BAR = 15.0
"""Seconds after which orders must be as quick again as they were."""
BUSY = 15.0
"""Seconds by which two cores that run other tests, too, may be late."""
OTHER = "TEA-01"


def is_frozen(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def test_orders_go_on_when_a_worker_is_frozen_in_a_transaction(shop: Shop, start_worker, settings) -> None:
    """Those of its SKU, whose row it has locked; and those of others, of which it holds messages."""
    settings.PRESUMED_LOST_AFTER = timedelta(minutes=5)  # recovery is not what brings them back
    never_lost = {"SHOP_PRESUMED_LOST_SECONDS": "300"}
    shop.stock(sku=OTHER)
    failpoint = {"CRASH_AT": "before commit inventory.reserve_stock 1", "CRASH_BY": "SIGSTOP"}
    frozen = start_worker(app="tests.support.crash", env=never_lost | failpoint)
    try:
        held = [shop.place()]
        wait_for(lambda: is_frozen(frozen.process.pid), what="a frozen worker")
        held += [shop.place(basket=[(sku, 1)]) for sku in (Shop.sku, OTHER) * 4]  # nobody else is there to take them

        start_worker(env=never_lost)
        later = [shop.place(basket=[(sku, 1)]) for sku in (Shop.sku, OTHER) * 4]

        assert set(shop.ended(*held, *later, seconds=BAR + BUSY)) == {"completed"}
        assert is_frozen(frozen.process.pid)
    finally:
        frozen.kill()  # nobody is to wait until it is quiet
