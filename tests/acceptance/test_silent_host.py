"""A database host vanishes without FIN or RST: its address takes bytes and never answers, new connections work."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.db import connections

from tests.chaos.proxy import LOOPBACK, Loop, Proxy
from tests.support.processes import environment
from tests.support.shop import Shop

pytestmark = pytest.mark.usefixtures("audited")

BAR = 60.0
"""Seconds after which orders must be finished again."""
QUICK = "options=-c%20statement_timeout%3D3000"
"""Workers then give a silent server five seconds and not seventeen, which would only make the test longer."""


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    loop = Loop()
    proxy = Proxy(loop, int(connections["inventory"].settings_dict["PORT"] or 5432)).start()
    yield proxy
    proxy.close()
    loop.close()


@pytest.mark.parametrize("alias", ["orchestration", "inventory"])
def test_orders_are_finished_again_soon_after_a_databases_host_has_vanished(
    alias: str, shop: Shop, start_worker, proxy: Proxy
) -> None:
    variable = f"SHOP_{alias.upper()}_DATABASE_URL"
    database = urlsplit(environment()[variable])
    through = f"postgres://postgres@{LOOPBACK}:{proxy.port}/{database.path.lstrip('/')}?{QUICK}"
    start_worker(env={variable: through})
    assert set(shop.ended(*[shop.place() for _ in range(10)])) == {"completed"}

    assert proxy.silence() > 0
    later = [shop.place() for _ in range(10)]

    assert shop.ended(*later, seconds=BAR) == ["completed"] * 10
