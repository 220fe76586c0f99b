"""A failover that loses no commit: a standby takes over an address, and the old server becomes read-only."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from deploy.servers import PrivatePostgres
from deploy.servers.ports import LOOPBACK
from deploy.servers.private import ServerFailed
from tests.chaos.field import DidNotTakeHold, Field, some
from tests.chaos.servers import SERVICES

SECONDS = 15.0
"""The longest time for each part of a failover."""
BEGUN_BEFORE = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND xact_start <= %s"
)
LEFT = "SELECT count(*) FROM pg_stat_activity WHERE application_name = ANY(%s)"


class Standby(PrivatePostgres):
    """A server that follows another one until it is promoted."""

    def __init__(self, directory: Path, primary: PrivatePostgres) -> None:
        super().__init__(directory, settings=primary.settings)
        self._primary = primary

    def _initdb(self, programs: Path) -> None:
        server = ("-h", LOOPBACK, "-p", str(self._primary.port), "-U", "postgres")
        self._run_once([programs / "pg_basebackup", *server, "-D", self._cluster, *"-R -X stream -c fast -N".split()])


def fail_over(field: Field, chance: random.Random) -> str:
    """Promote a standby of a service's cluster. Sessions that clients keep stay on the old server."""
    name, members = chance.choice(SERVICES), list(field.fleet.members)
    old = field.servers.postgres[name]
    standby = Standby(field.servers.directory / f"{name}-{time.monotonic_ns()}", old)
    try:
        _start(standby)
        with _connected(old) as primary, _connected(standby) as follower:
            _demote(primary)
            [lsn] = primary.execute("SELECT pg_current_wal_lsn()").fetchone() or [None]
            _await(lambda: _one(follower, "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", lsn), "all commits")
            follower.execute("SELECT pg_promote(true, 15)")
            _await(lambda: not _one(follower, "SELECT pg_is_in_recovery()"), "a promotion")
            field.servers.take_over(name, standby)
            return f"{name}: {some(int(str(_one(primary, LEFT, members))), 'sessions left on the old server')}"
    except Exception:
        if field.servers.postgres[name] is not standby:
            standby.close()
            _let_write(old)
        raise


def _start(standby: Standby) -> None:
    try:
        standby.start()
    except ServerFailed as error:
        raise DidNotTakeHold(f"no standby: {error}") from error


def _demote(primary: "psycopg.Connection[tuple[object, ...]]") -> None:
    """Make the server read-only and wait for the transactions that began before."""
    primary.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    primary.execute("SELECT pg_reload_conf()")
    _await(lambda: _one(primary, "SHOW default_transaction_read_only") == "on", "a reload")
    now = _one(primary, "SELECT clock_timestamp() + interval '0.2 s'")
    _await(lambda: _one(primary, "SELECT clock_timestamp() > %s", now), "the moment")
    _await(lambda: not _one(primary, BEGUN_BEFORE, now), "the end of what has begun")


def _let_write(server: PrivatePostgres) -> None:
    with _connected(server) as connection:
        connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
        connection.execute("SELECT pg_reload_conf()")


def _connected(server: PrivatePostgres) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(server.url, dbname="postgres", autocommit=True, connect_timeout=3)


def _one(connection: "psycopg.Connection[tuple[object, ...]]", question: str, *parameters: object) -> object:
    row = connection.execute(question, parameters).fetchone()  # type: ignore[arg-type]
    return row[0] if row else None


def _await(condition: Callable[[], object], what: str) -> None:
    until = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > until:
            raise DidNotTakeHold(f"no {what} within {SECONDS} s")
        time.sleep(0.05)
