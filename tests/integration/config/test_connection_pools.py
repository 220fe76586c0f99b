"""A database that was away is used again as soon as it is back."""

import pytest
from django.conf import settings
from psycopg_pool import ConnectionPool, PoolTimeout

from deploy.servers import PrivatePostgres
from tests.support.wait import wait_for

AWAY_FOR_TRIES = 17
"""Each takes a second: by then psycopg's own back-off would wait until the 31st for its next try."""


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_pool_asks_again_soon_after_its_server_was_away():
    options = {**settings.DATABASES["inventory"]["OPTIONS"]["pool"], "timeout": 1}
    with PrivatePostgres() as server, ConnectionPool(f"{server.url}/postgres", open=True, **options) as pool:
        _use(pool)
        server.stop()
        pool.check()  # throws away what the server has closed
        for _ in range(AWAY_FOR_TRIES):
            with pytest.raises(PoolTimeout):
                _use(pool)
        server.start()

        wait_for(lambda: _answers(pool), seconds=8, what="a connection")


def _use(pool: ConnectionPool) -> None:
    with pool.connection() as connection:
        connection.execute("SELECT 1")


def _answers(pool: ConnectionPool) -> bool:
    try:
        _use(pool)
    except PoolTimeout:
        return False
    return True
