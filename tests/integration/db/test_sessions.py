"""Sessions that are no good any more: a silent server, one that has become read-only, plans that are stale."""

import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connections
from django.db.migrations.recorder import MigrationRecorder
from psycopg_pool import ConnectionPool

from config.env import ALIASES
from orchestration.db import deadline, pipeline, transactions
from orchestration.db.pipeline import Asked
from orchestration.db.sessions import MARGIN, UNLIMITED, DatabaseSilent, Session, SessionEnded, adopt_statement_timeout
from orchestration.db.sql import execute
from orchestration.failpoints import Failpoint, FailpointKind
from orchestration.operators.audit.read_only import snapshot
from tests.chaos.proxy import Loop, Proxy
from tests.support.failover import sessions_on_a_read_only_server

pytestmark = pytest.mark.django_db(transaction=True, databases=list(ALIASES))

BOUND = 0.5
"""Seconds that a silent server is given here."""
BUSY = 5.0
"""Seconds by which this machine may be late."""
POINT = Failpoint(FailpointKind.COMMIT, "test", [])
TABLE = MigrationRecorder.Migration._meta.db_table
every_database = pytest.mark.parametrize("alias", ALIASES)


@pytest.fixture(autouse=True)
def connections_as_before() -> Iterator[None]:
    yield
    connections.close_all()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A host in front of the tests' PostgreSQL."""
    loop = Loop()
    proxy = Proxy(loop, int(connections["orders"].settings_dict["PORT"] or 5432)).start()
    yield proxy
    proxy.close()
    loop.close()


@pytest.fixture
def pool(proxy: Proxy) -> "Iterator[ConnectionPool[Session]]":
    parameters = connections["orders"].get_connection_params() | {"host": "127.0.0.1", "port": proxy.port}
    options = {**settings.DATABASES["orders"]["OPTIONS"]["pool"], "timeout": 5}
    with ConnectionPool(kwargs={**parameters, "autocommit": True}, open=True, **options) as pool:
        yield pool


def in_time(work: Callable[[], object]) -> None:
    """Do it in a thread, so that a wait without end fails the test and does not hang it; raise what it raises."""
    raised: list[Exception] = []

    def tried() -> None:
        try:
            work()
        except Exception as error:
            raised.append(error)

    thread = threading.Thread(target=tried, daemon=True)
    thread.start()
    thread.join(BOUND + BUSY)
    assert not thread.is_alive(), "it waits for ever"
    for error in raised:
        raise error


def write(alias: str) -> None:
    execute(alias, f"UPDATE {TABLE} SET name = name WHERE false")


def write_by_the_orm(alias: str) -> None:
    MigrationRecorder.Migration.objects.using(alias).filter(pk=-1).update(name="x")


@every_database
def test_a_transaction_goes_on_with_another_session_when_its_server_became_read_only(alias: str) -> None:
    with sessions_on_a_read_only_server(alias):
        transactions.run(alias, POINT, lambda: write(alias))
    with sessions_on_a_read_only_server(alias):
        transactions.run(alias, POINT, lambda: write_by_the_orm(alias))


@every_database
@pytest.mark.parametrize("write", [write, write_by_the_orm])
def test_a_read_only_server_is_an_outage_once_and_not_for_ever(alias: str, write) -> None:
    """Once, although there were four such sessions; an error which the web answers with a 503 and not a 500."""
    with sessions_on_a_read_only_server(alias):
        with pytest.raises(OperationalError, match="read-only") as error:
            write(alias)
        assert isinstance(error.value.__cause__, SessionEnded)
        for _ in range(4):
            write(alias)
            connections[alias].close()


def test_new_sessions_do_not_go_to_a_read_only_server() -> None:
    parameters = connections["orders"].get_connection_params()
    parameters["options"] += " -c default_transaction_read_only=on"
    with pytest.raises(psycopg.OperationalError, match="read-only"):
        psycopg.connect(**parameters)


@pytest.mark.parametrize("spoil", ["DEALLOCATE ALL", f"ALTER TABLE {TABLE} ADD COLUMN more int"])
def test_a_stale_prepared_statement_costs_one_session_and_no_lasting_error(spoil: str) -> None:
    read = f"SELECT * FROM {TABLE} WHERE false"
    execute("orders", read)
    connections["orders"].connection.execute(spoil)
    try:
        with pytest.raises(OperationalError) as error:
            execute("orders", read)
        assert isinstance(error.value.__cause__, SessionEnded)
        assert execute("orders", read) == []
    finally:
        execute("orders", f"ALTER TABLE {TABLE} DROP COLUMN IF EXISTS more")


def test_what_postgresql_does_not_support_is_still_a_mistake_of_ours() -> None:
    with pytest.raises(Exception, match="FOR UPDATE is not allowed") as error:
        execute("orders", f"SELECT count(*) FROM {TABLE} FOR UPDATE")
    assert not isinstance(error.value, OperationalError)


def test_the_next_statement_after_a_session_ended_gets_another_one() -> None:
    connections["orders"].ensure_connection()
    connections["orders"].connection.close()
    assert MigrationRecorder.Migration.objects.using("orders").exists()


@pytest.mark.parametrize("by", ["cursor", "pipeline"])
def test_a_silent_server_is_given_up_with_all_sessions_that_lead_to_it(
    by: str, proxy: Proxy, pool: "ConnectionPool[Session]"
) -> None:
    taken = [pool.getconn() for _ in range(3)]
    for each in taken:
        pool.putconn(each)
    proxy.silence()
    raw = pool.getconn()
    raw.answered_within = BOUND
    ask = {
        "cursor": lambda: raw.execute("SELECT 1"),
        "pipeline": lambda: pipeline.answered(pipeline.written(raw, [Asked("SELECT 1")])),
    }[by]

    with pytest.raises(DatabaseSilent, match="has not answered in time"):
        in_time(ask)

    assert raw.closed
    pool.putconn(raw)
    for _ in range(3):
        with pool.connection() as other:
            assert other.execute("SELECT 1").fetchone() == (1,)


def test_whoever_has_less_time_waits_less(proxy: Proxy, pool: "ConnectionPool[Session]") -> None:
    with pool.connection() as raw:
        proxy.silence()
        with pytest.raises(DatabaseSilent), deadline.within(BOUND):
            raw.execute("SELECT 1")


@pytest.mark.parametrize(("on_server", "seconds"), [("15000", 17), ("90s", 92), ("0", UNLIMITED)])
def test_a_client_is_a_little_more_patient_than_its_server(on_server: str, seconds: float) -> None:
    parameters = connections["orders"].get_connection_params()
    parameters["options"] += f" -c statement_timeout={on_server}"
    with Session.connect(**parameters) as raw:
        adopt_statement_timeout(raw)
        assert raw.answered_within == seconds


def test_sessions_of_the_pool_are_patient_like_that() -> None:
    connections["orders"].ensure_connection()
    raw = connections["orders"].connection
    assert isinstance(raw, Session)
    assert raw.answered_within == settings.SERVER_PARAMETERS["statement_timeout"] / 1000 + MARGIN


def test_a_slow_statement_is_not_a_silent_server() -> None:
    connections["orders"].ensure_connection()
    connections["orders"].connection.answered_within = 10
    done = threading.Event()
    threading.Timer(1, done.set).start()
    execute("orders", "SELECT pg_sleep(1.1)")
    assert done.is_set()


def test_an_audit_may_read_for_longer_than_a_request_and_think_in_between() -> None:
    connections["orders"].ensure_connection()
    raw = connections["orders"].connection
    raw.answered_within = 0.3
    with snapshot("orders"), connections["orders"].cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.6)")
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("1min",)
    assert raw.answered_within == 0.3
    raw.close()
