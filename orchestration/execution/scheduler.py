"""Runs jobs in a bounded number of threads: the largest job first, compensations before actions."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

R = TypeVar("R")

logger = logging.getLogger(__name__)

Thunk = Callable[[], None]


@dataclass(frozen=True, eq=False)
class Turn:
    """A piece of work, and how much there is in it at the moment."""

    take: Callable[[], Thunk | None]
    """Does it; what this returns is still to be done, and holds up nobody who waits for a turn. Or it is `again`."""
    size: Callable[[], int] = lambda: 1
    overtakes: bool = False
    """It goes before those that do not, every other time at least."""

    def __call__(self) -> Thunk | None:
        return self.take()


Start = Callable[[Turn], None]
"""Has a turn taken soon: in another thread, or at once."""


@dataclass(frozen=True)
class Room:
    """Where work can be had done: batches on one side, and on the other what takes its time, such as calls."""

    batches: Start
    calls: Start


def again() -> None:
    """What a turn returns that wants another one: started from within, turns would pile up on the stack."""


def at_once(turn: Turn) -> None:
    """A `Start` for who needs no other thread."""
    while (remains := turn()) is again:
        pass
    if remains:
        remains()


ALONE = Room(at_once, at_once)
"""Where everything is done at once."""


class Turns:
    """A `Start` that has few turns taken at a time, in threads that `spawn` gives.

    Fewer than there are threads: a batch that waits for its turn grows, and larger batches are less work. So the
    largest is next, unless one has lost patience. One that overtakes goes before these, but where they have lost
    patience only every other time. A thread that has nothing left to do stays for a while, with its database
    connections: the next message is often close behind.
    """

    PATIENCE = 0.02  # seconds
    STAYS = 0.5  # seconds

    def __init__(self, spawn: Callable[[Thunk], None], at_a_time: int, *, stay: bool = True) -> None:
        self._spawn, self._free = spawn, at_a_time
        self._may_stay = at_a_time if stay else 0
        self._waiting: dict[Turn, float] = {}
        """With the time since when."""
        self._overtaken = False
        """Whether the last that was picked went before others."""
        self._seats: list[_Seat] = []
        """Of threads that stay and are given nothing yet."""
        self._lock = threading.Lock()

    def __call__(self, turn: Turn) -> None:
        with self._lock:
            if not self._free:
                self._waiting[turn] = time.monotonic()
                return
            self._free -= 1
        if HERE.next_of is self:
            HERE.next_of, HERE.next = None, turn
        else:
            self._give(turn)

    def _give(self, turn: Turn) -> None:
        with self._lock:
            seat = self._seats.pop() if self._seats else None
        if seat:
            seat.give(turn)
        else:
            self._spawn(partial(self._serve, turn))

    def _serve(self, turn: Turn) -> None:
        serving: Turn | None = turn
        with HERE.anew():
            while serving is not None:
                serving = self._taken(serving) or self._stay()

    def _taken(self, turn: Turn) -> Turn | None:
        """Take the turn, do what follows it when others may have theirs; give the next turn for this thread, if any."""
        remains, following = HERE.done_with_what_follows(turn)
        if remains is again:
            with self._lock:
                self._waiting[turn] = time.monotonic()
        elif remains:
            following.append(remains)
        if not following:
            return self._next()
        if waiting := self._next():
            self._give(waiting)
        *most, last = following
        for each in most:
            done_or_logged(each)
        HERE.next_of, HERE.next = self, None
        done_or_logged(last)
        HERE.next_of = None
        return HERE.next

    def _next(self) -> Turn | None:
        with self._lock:
            if not self._waiting:
                self._free += 1
                return None
            turn = self._foremost()
            del self._waiting[turn]
            return turn

    def _foremost(self) -> Turn:
        ahead = next((turn for turn in self._waiting if turn.overtakes), None)
        others = [turn for turn in self._waiting if not turn.overtakes]
        impatient = bool(others) and time.monotonic() - self._waiting[others[0]] > self.PATIENCE
        if ahead and not (impatient and self._overtaken):
            self._overtaken = True
            return ahead
        self._overtaken = False
        return others[0] if impatient else max(others, key=lambda turn: turn.size())

    def _stay(self) -> Turn | None:
        seat = _Seat()
        with self._lock:
            if len(self._seats) >= self._may_stay:
                return None
            self._seats.append(seat)
        if turn := seat.wait(self.STAYS):
            return turn
        with self._lock:
            if seat in self._seats:
                self._seats.remove(seat)
                return None
        return seat.wait()  # it has just been given one


class _Seat:
    """Where a thread waits to be given a turn.

    Not a `queue.SimpleQueue`: CPython 3.11's waits until the next item, without a timeout from then on, when another
    thread takes the one it was woken for and its time is up meanwhile. A worker that stops would wait for its thread.
    """

    def __init__(self) -> None:
        self._turn: Turn | None = None
        self._given = threading.Lock()
        self._given.acquire()

    def give(self, turn: Turn) -> None:
        """Wake the thread with it."""
        self._turn = turn
        self._given.release()

    def wait(self, seconds: float = -1) -> Turn | None:
        """What is given, None when nothing is for so long."""
        return self._turn if self._given.acquire(timeout=seconds) else None


class _Here(threading.local):
    """What the thread is at."""

    following: list[Thunk] | None = None
    """What is to be done after what is under way; None when there is no such time."""
    next_of: Turns | None = None
    """Whose turn it can take next, while it does the last of what follows one."""
    next: Turn | None = None

    @contextmanager
    def anew(self) -> Iterator[None]:
        """Where no other thread could be had, turns are taken in the midst of something: that goes on as it was."""
        before = self.following, self.next_of, self.next
        self.following = self.next_of = self.next = None
        try:
            yield
        finally:
            self.following, self.next_of, self.next = before

    def done_with_what_follows(self, do: Callable[[], R]) -> tuple[R | None, list[Thunk]]:
        """Do it; give what it gives and what is to follow it."""
        before, self.following = self.following, []
        try:
            return done_or_logged(do), self.following
        finally:
            self.following = before


HERE = _Here()
"""Of the thread that asks."""


def afterwards(thunk: Thunk) -> None:
    """Do it when this thread's turn is over, so that nobody who waits for one is held up; outside of turns, at once."""
    if HERE.following is None:
        thunk()
    else:
        HERE.following.append(thunk)


def done_or_logged(do: Callable[[], R]) -> R | None:
    """Do it. What it raises is a bug, which must not keep others from what they wait for."""
    try:
        return do()
    except Exception:
        logger.exception("a turn broke off")
        return None
