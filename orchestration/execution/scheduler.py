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
class Job:
    """A piece of work for a `Scheduler`."""

    run: Callable[[], Thunk | None]
    """Do the work. Return deferred work to do after the next job has started, or `run_again`, or None."""
    size: Callable[[], int] = lambda: 1
    """Return the number of items of work. Larger jobs run first."""
    has_priority: bool = False
    """Run before jobs without priority, at least every other time."""

    def __call__(self) -> Thunk | None:
        return self.run()


Submit = Callable[[Job], None]
"""Runs a job soon: in another thread, or before it returns."""


@dataclass(frozen=True)
class Executors:
    """Two places to run jobs: one for batches, one for slow work such as calls to a gateway."""

    batches: Submit
    calls: Submit


def run_again() -> None:
    """Do nothing. A job returns this function to be run again. To submit itself instead would grow the stack."""


def run_now(job: Job) -> None:
    """Run the job in this thread. This is a `Submit` for callers that need no other thread."""
    while (rest := job()) is run_again:
        pass
    if rest:
        rest()


INLINE = Executors(run_now, run_now)
"""Runs every job in the calling thread."""


class Scheduler:
    """Runs at most `at_a_time` jobs at once, in threads that `spawn` starts. It is a `Submit`.

    Choose `at_a_time` below the number of threads: a batch that waits grows, and larger batches cost less for each
    item. Jobs with priority run first, then the largest job. But if a job without priority has waited longer than
    `PATIENCE`, the oldest of these runs next, or after one more job with priority. A thread without a job waits in a
    slot and keeps its database connections, because the next message often arrives soon.
    """

    PATIENCE = 0.02  # seconds a job without priority may wait before size no longer counts
    SLOT_TIMEOUT = 0.5  # seconds a thread waits in a slot for its next job

    def __init__(self, spawn: Callable[[Thunk], None], at_a_time: int, *, stay: bool = True) -> None:
        self._spawn, self._free = spawn, at_a_time
        self._slot_limit = at_a_time if stay else 0
        self._waiting: dict[Job, float] = {}
        """Each waiting job, with the monotonic time at which it began to wait."""
        self._last_had_priority = False
        """Whether the job that was selected last had priority."""
        self._slots: list[_Slot] = []
        """Slots of the threads that wait for a job."""
        self._lock = threading.Lock()

    def __call__(self, job: Job) -> None:
        with self._lock:
            if not self._free:
                self._waiting[job] = time.monotonic()
                return
            self._free -= 1
        if THREAD.scheduler is self:
            THREAD.scheduler, THREAD.next_job = None, job
        else:
            self._give(job)

    def _give(self, job: Job) -> None:
        with self._lock:
            slot = self._slots.pop() if self._slots else None
        if slot:
            slot.give(job)
        else:
            self._spawn(partial(self._serve, job))

    def _serve(self, job: Job) -> None:
        serving: Job | None = job
        with THREAD.nested():
            while serving is not None:
                serving = self._run(serving) or self._wait_in_slot()

    def _run(self, job: Job) -> Job | None:
        """Run the job, start the next waiting job, do the deferred work. Return this thread's next job, or None."""
        rest, deferred = THREAD.run_and_collect(job)
        if rest is run_again:
            with self._lock:
                self._waiting[job] = time.monotonic()
        elif rest:
            deferred.append(rest)
        if not deferred:
            return self._next()
        if waiting := self._next():
            self._give(waiting)
        *most, last = deferred
        for each in most:
            run_or_log(each)
        THREAD.scheduler, THREAD.next_job = self, None
        run_or_log(last)
        THREAD.scheduler = None
        return THREAD.next_job

    def _next(self) -> Job | None:
        with self._lock:
            if not self._waiting:
                self._free += 1
                return None
            job = self._select()
            del self._waiting[job]
            return job

    def _select(self) -> Job:
        priority = next((job for job in self._waiting if job.has_priority), None)
        others = [job for job in self._waiting if not job.has_priority]
        overdue = bool(others) and time.monotonic() - self._waiting[others[0]] > self.PATIENCE
        if priority and not (overdue and self._last_had_priority):
            self._last_had_priority = True
            return priority
        self._last_had_priority = False
        return others[0] if overdue else max(others, key=lambda job: job.size())

    def _wait_in_slot(self) -> Job | None:
        slot = _Slot()
        with self._lock:
            if len(self._slots) >= self._slot_limit:
                return None
            self._slots.append(slot)
        if job := slot.wait(self.SLOT_TIMEOUT):
            return job
        with self._lock:
            if slot in self._slots:
                self._slots.remove(slot)
                return None
        return slot.wait()  # another thread has just given it a job


class _Slot:
    """A place where a thread waits for its next job.

    Do not use `queue.SimpleQueue` here. Its `get(timeout)` in CPython 3.11 can forget the timeout when another thread
    takes the item first. A worker that stops would then wait for that thread without end.
    """

    def __init__(self) -> None:
        self._job: Job | None = None
        self._given = threading.Lock()
        self._given.acquire()

    def give(self, job: Job) -> None:
        """Wake the thread and hand it the job."""
        self._job = job
        self._given.release()

    def wait(self, seconds: float = -1) -> Job | None:
        """Return the job, or None after `seconds` without one."""
        return self._job if self._given.acquire(timeout=seconds) else None


class _ThreadState(threading.local):
    """The state of one thread while it runs a job."""

    deferred: list[Thunk] | None = None
    """Work to do after the running job; None outside of jobs."""
    scheduler: Scheduler | None = None
    """The scheduler whose next job this thread can run, while it does the last deferred work of a job."""
    next_job: Job | None = None

    @contextmanager
    def nested(self) -> Iterator[None]:
        """Save the state and restore it after the block. A job runs inside another one if no thread can be started."""
        before = self.deferred, self.scheduler, self.next_job
        self.deferred = self.scheduler = self.next_job = None
        try:
            yield
        finally:
            self.deferred, self.scheduler, self.next_job = before

    def run_and_collect(self, do: Callable[[], R]) -> tuple[R | None, list[Thunk]]:
        """Run `do`. Return its result and the work that it deferred."""
        before, self.deferred = self.deferred, []
        try:
            return run_or_log(do), self.deferred
        finally:
            self.deferred = before


THREAD = _ThreadState()
"""The state of the current thread."""


def after_job(thunk: Thunk) -> None:
    """Run the thunk after this thread's job, so that waiting jobs start first. Outside of jobs, run it now."""
    if THREAD.deferred is None:
        thunk()
    else:
        THREAD.deferred.append(thunk)


def run_or_log(do: Callable[[], R]) -> R | None:
    """Run `do` and return its result. Log what it raises, which is a bug, so that other jobs still run."""
    try:
        return do()
    except Exception:
        logger.exception("a job failed")
        return None
