"""The time by which decisions are made: a database's, not this host's, whose clock may be wrong by any amount.

Times in rows are compared across processes, and one of these may run on a host that booted with a wrong clock. So the
time comes from the server that keeps the rows. It is read every few seconds and carried on by the host's uptime in
between, which runs on when somebody sets the host's clock, and while a process or the whole host stands still.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

from django.db import Error, connections
from uuid_utils import uuid7

from orchestration.lending import lent
from orchestration.statements import execute
from orchestration.uptime import Reading, uptime

logger = logging.getLogger(__name__)

ALIAS = "orchestration"
READ_EVERY = 5.0
"""Seconds. For so long a process does not notice that its database has moved to a host with another clock."""
ERROR_BORNE = 0.25
"""Seconds, either way. A reading that took longer is used only when the last good one is `TOO_OLD`."""
TOO_OLD = 60.0
"""Seconds; two clocks of computers drift apart by a few milliseconds in that time."""
SKEW_BORNE = timedelta(seconds=2)
"""A process whose clock is wrong by more says so in its log."""
READ = "SELECT clock_timestamp()"

_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


class RemoteClock:
    """The clock of a server: asked by `ask` every few seconds, by one thread, while the others use the last reading."""

    def __init__(self, name: str, ask: Callable[[], Reading]) -> None:
        self._name, self._ask = name, ask
        self._reading: Reading | None = None
        self._tried_at = 0.0
        self._asking = threading.Lock()
        self._is_warned = False

    def now(self, *, may_ask: bool = True) -> datetime:
        """The server's time; while the server cannot be asked, the last reading carried on.

        :raises django.db.Error: when it could never be asked.
        """
        reading = self._reading
        if reading is None:  # each for itself: were they to wait for each other, so would their timeouts
            reading = self._taken()
        elif may_ask and uptime() - self._tried_at >= READ_EVERY and self._asking.acquire(blocking=False):
            try:
                reading = self._taken()
            except Error as error:
                logger.debug("the clock of %s cannot be read: %s", self._name, error)
            finally:
                self._asking.release()
        return reading.now()

    def ahead(self) -> timedelta:
        """How much this host's clock is ahead of the server's; negative when it is behind.

        :raises django.db.Error: when the server could never be asked.
        """
        now = self.now()
        return datetime.now(UTC) - now

    def _taken(self) -> Reading:
        """Ask, and keep the answer unless it took so long that the last reading is the better one."""
        self._tried_at = uptime()
        new, old = self._ask(), self._reading
        if old is None or new.error <= ERROR_BORNE or new.at - old.at > TOO_OLD:
            self._reading = old = new
            self._compare(datetime.now(UTC) - new.now())
        return old

    def _compare(self, ahead: timedelta) -> None:
        """Warn when this host's clock has become wrong; not again before it has been right."""
        is_wrong = abs(ahead) > SKEW_BORNE
        if is_wrong and not self._is_warned:
            logger.warning("this host's clock is %s that of %s, which decides: set it (NTP)", said(ahead), self._name)
        self._is_warned = is_wrong


def now(alias: str = ALIAS) -> datetime:
    """The time by this database's clock.

    :raises django.db.Error: when it could never be asked.
    """
    return clock_of(alias).now(may_ask=not connections[alias].in_atomic_block)


def new_id(at: datetime) -> UUID:
    """A new UUIDv7 that says `at`: audits and lists go by the time in ids, which is to be the rows' time."""
    return UUID(int=uuid7(nanoseconds=(at - _EPOCH) // _MICROSECOND * 1000).int)


@cache
def clock_of(alias: str) -> RemoteClock:
    """The clock of this database's server, as this process knows it."""
    return RemoteClock(f"the database of {alias}", lambda: _read(alias))


def said(ahead: timedelta) -> str:
    """A skew in words: "3600.0 s ahead of"."""
    seconds = ahead.total_seconds()
    return f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'}"


def _read(alias: str) -> Reading:
    """Ask once; a connection that is made for it is given back."""
    connection = connections[alias]
    if connection.connection is not None:
        return _timed(alias)
    with lent(alias):
        connection.ensure_connection()  # making one takes longer than asking
        return _timed(alias)


def _timed(alias: str) -> Reading:
    asked_at = uptime()
    [(said_at,)] = execute(alias, READ)
    return Reading.between(asked_at, said_at, uptime())
