"""What a database's address says reaches the server, past Django."""

from collections.abc import Callable, Iterator
from copy import deepcopy

import psycopg
import pytest
from django.db import OperationalError, connections
from django.db.backends.postgresql.base import DatabaseWrapper

from config import databases as server_side
from config import env
from config.settings import databases
from tests.support.processes import environment

ALIAS = "payments"

pytestmark = pytest.mark.django_db(transaction=True, databases=[ALIAS])


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], DatabaseWrapper]]:
    """Connect to this run's database as a process would whose URL had these options in addition."""
    made: list[DatabaseWrapper] = []

    def connect(options: str) -> DatabaseWrapper:
        url = f"{environment()['SHOP_PAYMENTS_DATABASE_URL']}&{options}"
        monkeypatch.setenv("SHOP_PAYMENTS_DATABASE_URL", url)
        monkeypatch.setattr(databases, "VALUES", env.read())
        settings = {**deepcopy(connections[ALIAS].settings_dict), **databases._database(ALIAS)}
        del settings["OPTIONS"]["pool"]  # there is one for each alias, and it hides why a server refuses
        made.append(DatabaseWrapper(settings, ALIAS))
        return made[-1]

    yield connect
    for connection in made:
        connection.close()


def test_options_of_the_address_are_in_force_beside_ours(connected):
    connection = connected("application_name=till&options=-c%20work_mem%3D2MB%20-c%20lock_timeout%3D7s")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('application_name'), current_setting('work_mem'), current_setting('lock_timeout'),"
            " current_setting('statement_timeout'), current_setting('jit')"
        )
        ours = f"{databases.SERVER_PARAMETERS['statement_timeout'] // 1000}s"
        assert cursor.fetchone() == ("till", "2MB", "7s", ours, "off")


def test_encryption_that_the_address_demands_is_not_done_without(connected, monkeypatch):
    """The server of the tests has none: libpq's default would then speak clear text."""
    connection = connected("sslmode=verify-full")
    with pytest.raises(OperationalError, match="SSL"):
        connection.cursor()
    monkeypatch.setattr(server_side, "connections", {ALIAS: connection})
    for reach in (server_side.check_available, server_side.create_if_missing):
        with pytest.raises(psycopg.OperationalError, match="SSL"):
            reach(ALIAS)
