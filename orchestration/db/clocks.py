"""The clock that decisions use: the database server's, because this host's clock may be wrong by any amount.

Processes compare the times in rows, and a process may run on a host that booted with a wrong clock. So the time comes
from the server that keeps the rows. It is read every few seconds. In between, the host's uptime is added, which also
counts while a process is frozen or the host is suspended, and which does not change when the host's clock is set.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

from django.db import Error, connections
from uuid_utils import uuid7

from orchestration.db.connections import borrowed
from orchestration.db.sql import execute
from orchestration.db.uptime import UptimeReading, uptime

logger = logging.getLogger(__name__)

ALIAS = "orchestration"
READ_EVERY = 5.0
"""Seconds. After a failover to a host with another clock, a process uses the old clock for up to this long."""
ERROR_BORNE = 0.25
"""Seconds. A reading with a larger possible error is used only if the last good reading is older than `TOO_OLD`."""
TOO_OLD = 60.0
"""Seconds. The clocks of two hosts drift apart by a few milliseconds in that time."""
SKEW_BORNE = timedelta(seconds=2)
"""A process logs a warning when its host's clock is wrong by more."""
READ = "SELECT clock_timestamp()"

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class RemoteClock:
    """The clock of a server. One thread reads it with `ask` every few seconds; the others use the last reading."""

    def __init__(self, name: str, ask: Callable[[], UptimeReading]) -> None:
        self._name, self._ask = name, ask
        self._reading: UptimeReading | None = None
        self._tried_at = 0.0
        self._read_lock = threading.Lock()
        self._is_warned = False

    def now(self, *, may_ask: bool = True) -> datetime:
        """Return the server's time. If the server does not answer, return the last reading plus the time since then.

        :raises django.db.Error: when the server has not answered yet and does not answer now.
        """
        reading = self._reading
        if reading is None:  # each thread asks by itself: if they waited in turn, their timeouts would add up
            reading = self._taken()
        elif may_ask and uptime() - self._tried_at >= READ_EVERY and self._read_lock.acquire(blocking=False):
            try:
                reading = self._taken()
            except Error as error:
                logger.debug("the clock of %s cannot be read: %s", self._name, error)
            finally:
                self._read_lock.release()
        return reading.now()

    def ahead(self) -> timedelta:
        """Return how much this host's clock is ahead of the server's; negative if it is behind.

        :raises django.db.Error: when the server has not answered yet and does not answer now.
        """
        now = self.now()
        return datetime.now(UTC) - now

    def _taken(self) -> UptimeReading:
        """Read the clock. Keep the reading, unless it took so long that the last reading is more exact."""
        self._tried_at = uptime()
        new, old = self._ask(), self._reading
        if old is None or new.error <= ERROR_BORNE or new.at - old.at > TOO_OLD:
            self._reading = old = new
            self._compare(datetime.now(UTC) - new.now())
        return old

    def _compare(self, ahead: timedelta) -> None:
        """Log a warning when this host's clock becomes wrong. Warn again only after it has been right."""
        is_wrong = abs(ahead) > SKEW_BORNE
        if is_wrong and not self._is_warned:
            logger.warning("this host's clock is %s that of %s, which decides: set it (NTP)", said(ahead), self._name)
        self._is_warned = is_wrong


def now(alias: str = ALIAS) -> datetime:
    """Return the time by this database's clock.

    :raises django.db.Error: when the database has not answered yet and does not answer now.
    """
    return clock_of(alias).now(may_ask=not connections[alias].in_atomic_block)


def new_id(at: datetime) -> UUID:
    """Return a new UUIDv7 with the time `at`. Use the time of the rows: audits and lists sort by the time in ids."""
    return UUID(int=uuid7(nanoseconds=(at - _EPOCH) // _MICROSECOND * 1000).int)


@cache
def clock_of(alias: str) -> RemoteClock:
    """Return this process's reader of the clock of this database's server."""
    return RemoteClock(f"the database of {alias}", lambda: _read(alias))


def said(ahead: timedelta) -> str:
    """Return a skew in words, such as "3600.0 s ahead of"."""
    seconds = ahead.total_seconds()
    return f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'}"


def _read(alias: str) -> UptimeReading:
    """Read the clock once. Return a connection that was opened for it to the pool."""
    connection = connections[alias]
    if connection.connection is not None:
        return _timed(alias)
    with borrowed(alias):
        connection.ensure_connection()  # before the time is measured: connecting takes longer than the query
        return _timed(alias)


def _timed(alias: str) -> UptimeReading:
    asked_at = uptime()
    [(said_at,)] = execute(alias, READ)
    return UptimeReading.between(asked_at, said_at, uptime())
