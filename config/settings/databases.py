"""A database per service; `default` is empty on purpose, so that a query that names no database is an error."""

from typing import Any

from psycopg import IsolationLevel

from config import env, tls
from config.settings._values import VALUES
from orchestration.db.sessions import Session

CONNECTION_PARAMETERS: dict[str, Any] = {  # of libpq (manual 34.1.2)
    "connect_timeout": 5,  # seconds
    "target_session_attrs": "read-write",  # a server that has become read-only cannot take orders: do not connect to it
    "keepalives_idle": 5,  # seconds of silence; a vanished host is noticed 11 s after its last packet …
    "keepalives_interval": 2,  # seconds
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds; … or 10 s after data was sent that it does not acknowledge
}
SERVER_PARAMETERS: dict[str, Any] = {  # of PostgreSQL (manual 20), for the shop's sessions
    "statement_timeout": 15_000,  # milliseconds; a slower statement is an outage, and the saga is retried later
    # Milliseconds. Statements take few. A longer wait means that the holder is stuck. This saga is retried; the rest of
    # its batch continues. A web request waits less (`config.postgresql.base`).
    "lock_timeout": 2_000,
    # Milliseconds that a client may pause inside a transaction. Ours pause for about ten (the longest writes a batch of
    # 64) and make no call and publish nothing meanwhile. A worker that froze or lost its connection keeps its locks for
    # this long.
    "idle_in_transaction_session_timeout": 4_000,
    "tcp_keepalives_idle": 5,  # seconds; the session of a vanished client may hold locks that others need
    "tcp_keepalives_interval": 2,  # seconds
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
    "plan_cache_mode": "force_generic_plan",  # prepared statements use the keys' indexes, whatever the statistics say
    # Long statements gain from these two. But a short one costs 10 to 70 ms more when old statistics make it look long.
    "jit": "off",
    "max_parallel_workers_per_gather": 0,
}
SESSION_OPTIONS = " ".join(f"-c {name}={value}" for name, value in SERVER_PARAMETERS.items())
POOL_OPTIONS = {
    "connection_class": Session,  # bounds every wait for the server
    "min_size": 0,
    "max_size": VALUES["DATABASE_POOL_SIZE"],  # per process and alias; threads beyond it wait
    "timeout": 10,  # seconds
    "max_idle": 30,  # seconds; an unused connection is closed after this
    "max_lifetime": 300,  # seconds; a session is then replaced, and reaches the server that accepts writes
    "reconnect_timeout": 2,  # seconds; then the next request tries again (psycopg's default: up to 5 minutes)
    "num_workers": 1,  # threads that open connections in the background
}

# `manage.py migrate` has its own limits, which also bound its transactions.
MIGRATION_LOCK_TIMEOUT_MS = 1_000  # below lock_timeout: orders queue behind a migration that waits for a table
MIGRATION_STATEMENT_TIMEOUT_MS = 3_600_000  # an index on the largest table takes minutes; no deploy may hang for ever
# The wait for another `migrate` on the same database. The longest migration so far takes seconds.
MIGRATION_LOCK_WAIT_MS = 900_000


def _database(alias: str) -> dict[str, Any]:
    """Merge the URL's options with ours. The URL's options take precedence."""
    given = env.database(VALUES, alias)
    of_url = given["OPTIONS"]
    return {
        **given,
        "ENGINE": "config.postgresql",
        "CONN_MAX_AGE": 0,  # closing returns the connection to the pool
        "OPTIONS": {
            **CONNECTION_PARAMETERS,
            "application_name": f"shop-{alias}",
            **tls.of_libpq(tls.tls_of(VALUES, "DATABASE")),
            **of_url,
            "options": f"{SESSION_OPTIONS} {of_url.get('options', '')}".rstrip(),  # the last value of an option counts
            "isolation_level": IsolationLevel.READ_COMMITTED,  # the ledgers rely on this level
            "pool": dict(POOL_OPTIONS),
        },
        "TEST": {"DEPENDENCIES": []},  # else Django makes every test database wait for `default`
    }


DATABASES: dict[str, dict[str, Any]] = {"default": {}} | {alias: _database(alias) for alias in env.ALIASES}
DATABASE_ROUTERS = ["config.routers.AppLabelRouter"]
