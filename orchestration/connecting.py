"""What becomes of a thread's database connections between one piece of work and the next."""

from django.conf import settings
from django.db import close_old_connections, reset_queries


def let_connections_go() -> None:
    """Give them back to the pool, and forget what was asked over them.

    In debug mode Django keeps the last 9,000 statements of each connection until a request ends, and in
    a worker none does.
    """
    close_old_connections()
    if settings.DEBUG:
        reset_queries()
