"""What a failover leaves behind in a process: sessions on a server that refuses writes, which new ones do not."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.conf import settings
from django.db import connections


@contextmanager
def sessions_on_a_read_only_server(alias: str) -> Iterator[None]:
    """Have all sessions of this process's pool be on such a server; afterwards none is left there."""
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
