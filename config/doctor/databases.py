"""Checks of every database: reachable, fully migrated, the right time, and free connections."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import ceil

from django.conf import settings
from django.db import Error, connections

from config.doctor.lines import Line, fail, ok, warn
from config.env import ALIASES
from config.readiness import CHECKS
from orchestration.telemetry.parallel_reads import ParallelReads

SKEW_BORNE = timedelta(seconds=1)
"""Leases and markers allow for seconds; the audit allows one second between two services."""
ALMOST_ALL = 0.8
PATIENCE = timedelta(seconds=6)
"""The time for all databases together. They are queried concurrently, so that silent hosts do not add up."""

Server = tuple[str, str]
"""Host and port."""


DO = "set the clocks (NTP); until then processes use the database's clock, not their host's"


def look() -> Iterator[Line]:
    """Check each database, its clock, and the connections of each server."""
    answering = []
    checks = {alias: CHECKS[alias] for alias in ALIASES}
    answers = ParallelReads(checks, patience=PATIENCE, kept_for=timedelta(0)).answers()
    for alias in ALIASES:
        line = _of_database(alias, str(answers[alias]))
        yield line
        if line.verdict == "ok":
            answering.append(alias)
    yield from _clocks(answering)
    for server, aliases in _by_server(answering).items():
        yield _connections_of(server, aliases)


def _of_database(alias: str, why: str) -> Line:
    what = f"database {alias}"
    if why:
        seen, _, known = why.partition("; ")
        return fail(what, seen, known or "start it: orders wait for it, and continue automatically when it is back")
    return ok(what, "answers, and has all migrations")


def _clocks(aliases: list[str]) -> Iterator[Line]:
    for alias in aliases:
        ahead = _ahead(alias)
        if abs(ahead) > SKEW_BORNE:
            seconds = ahead.total_seconds()
            yield fail(f"clock of database {alias}", f"{seconds:+.1f} s beside this host's", DO)
    if aliases:
        yield ok("clocks of databases", f"compared {len(aliases)} with this host's")


def _ahead(alias: str) -> timedelta:
    """Return how far the server's clock is ahead of ours. Return zero if the query's own duration can explain it."""
    asked_at = datetime.now(UTC)
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        [said] = cursor.fetchone()
    if said < asked_at:
        return said - asked_at  # type: ignore[no-any-return]
    return max(timedelta(0), said - datetime.now(UTC))


def _by_server(aliases: list[str]) -> dict[Server, list[str]]:
    servers: dict[Server, list[str]] = defaultdict(list)
    for alias in aliases:
        at = connections[alias].settings_dict
        servers[str(at["HOST"]), str(at["PORT"])].append(alias)
    return servers


def _connections_of(server: Server, aliases: list[str]) -> Line:
    what, pool = (
        f"connections to {':'.join(filter(None, server)) or 'this host'}",
        settings.DATABASES[aliases[0]]["OPTIONS"]["pool"]["max_size"],
    )
    try:
        used, most = _used(aliases[0])
    except Error as error:
        return fail(what, f"could not be counted: {error}", "see the server's log")
    each = pool * len(aliases)
    seen = f"{used} of {most} in use; one process may hold {each} ({pool} for each of {len(aliases)} databases)"
    if used >= ALMOST_ALL * most:
        return fail(what, seen, "raise max_connections, or lower SHOP_DATABASE_POOL_SIZE: processes will wait or fail")
    if each * 2 > most:
        return warn(what, seen, f"two processes may use them up: raise max_connections to {ceil(each * 8 / 100) * 100}")
    return ok(what, seen)


def _used(alias: str) -> tuple[int, int]:
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),"
            " current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
        )
        used, most = cursor.fetchone()
    return used, most
