"""The state of a process after a failover: sessions that the server has ended, or on which it refuses writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.conf import settings
from django.db import connections


@contextmanager
def sessions_on_a_read_only_server(alias: str) -> Iterator[None]:
    """Make all sessions of this process's pool refuse writes during the block. Afterwards replace them."""
    connections[alias].close()
    everybody = [connections[alias].copy() for _ in range(settings.DATABASES[alias]["OPTIONS"]["pool"]["max_size"])]
    for each in everybody:
        with each.cursor() as cursor:
            cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
    for each in everybody:
        each.close()
    try:
        yield
    finally:
        connections[alias].close()
        cast(Any, connections[alias]).close_pool()


def end_session(alias: str) -> None:
    """End this thread's session on the server. The client notices at its next statement."""
    own = cast(Any, connections[alias]).connection
    other = connections[alias].copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [own.info.backend_pid])
    other.close()
