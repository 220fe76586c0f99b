"""A database per service; `default` is empty on purpose, so that a query that names no database is an error."""

from typing import Any

from psycopg import IsolationLevel

from config import env
from config.settings._values import VALUES

STATEMENT_TIMEOUT_MS = 30_000  # a statement slower than this is an outage, and the saga will come back
LOCK_TIMEOUT_MS = 10_000  # below the statement timeout, so that the log says it was a lock
CONNECT_TIMEOUT_S = 5
PLANS = "force_generic_plan"  # of prepared statements, which go by keys whatever the statistics say today
# What long statements gain from costs 10 to 70 ms where old statistics make a short one look long.
NO_HELP_FOR_LONG_STATEMENTS = "-c jit=off -c max_parallel_workers_per_gather=0"
POOL_TIMEOUT_S = 10
POOL_RECONNECT_S = 2  # then the next who needs one tries anew; by default the pool backs off for up to five minutes
POOL_IDLE_S = 30  # an unused connection is closed after this
SESSION_OPTIONS = (  # what the server is told at the begin of each session
    f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS} "
    f"-c plan_cache_mode={PLANS} {NO_HELP_FOR_LONG_STATEMENTS}"
)


def _database(alias: str) -> dict[str, Any]:
    """Merge the URL's options with ours, which give way to them."""
    given = env.database(VALUES, alias)
    of_url = given["OPTIONS"]
    return {
        **given,
        "ENGINE": "config.postgresql",
        "CONN_MAX_AGE": 0,  # closing gives the connection back to the pool
        "OPTIONS": {
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": f"shop-{alias}",
            **of_url,
            "options": f"{SESSION_OPTIONS} {of_url.get('options', '')}".rstrip(),  # the last one counts
            "isolation_level": IsolationLevel.READ_COMMITTED,  # what the ledgers' keys are reasoned with
            "pool": {
                "min_size": 0,
                "max_size": VALUES["DATABASE_POOL_SIZE"],  # per process and alias; threads beyond it wait
                "timeout": POOL_TIMEOUT_S,
                "max_idle": POOL_IDLE_S,
                "reconnect_timeout": POOL_RECONNECT_S,
                "num_workers": 1,  # threads that open connections in the background
            },
        },
        "TEST": {"DEPENDENCIES": []},  # Django would otherwise make every test database wait for `default`
    }


DATABASES: dict[str, dict[str, Any]] = {"default": {}} | {alias: _database(alias) for alias in env.ALIASES}
DATABASE_ROUTERS = ["config.routers.AppLabelRouter"]
