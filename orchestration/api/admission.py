"""Limits how many requests a web process runs at a time, so that it always has a thread for its probes."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from orchestration.api.error_views import problem_response
from orchestration.api.problems import Problem
from orchestration.db import deadline

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""These paths are answered at once, even when too many requests run."""
LONGEST_REQUEST_S = 25.0
"""The limit for all waits of one request for servers. A page for operators reads from all servers."""
QUEUED_WITHIN_S = 3.0
"""Seconds that a request may be queued. A customer's running request gives up sooner, so the queue moves even while a
server hangs."""

_running: ContextVar["AdmittedRequest | None"] = ContextVar("running", default=None)


class Overloaded(Problem):
    """This process has as many requests as it can work on. Send the same request, with the same key, later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "overloaded"


class AdmittedRequest:
    """A running request. It occupies one place of its process until it ends."""

    def __init__(self, places: threading.Semaphore) -> None:
        self._places = places
        self._is_over = False

    def end(self) -> None:
        """Release its place, so that the next request runs. A second call has no effect."""
        if not self._is_over:
            self._is_over = True
            self._places.release()


class Admission:
    """The limits of one process for requests that run, that are queued, and that wait for an outcome."""

    def __init__(self, *, at_work: int, queued: int, waiting: int, queued_within_s: float = QUEUED_WITHIN_S) -> None:
        self._at_work = threading.Semaphore(at_work)
        self._queued = threading.Semaphore(queued)
        self._waiting = threading.Semaphore(waiting)
        self._queued_within_s = queued_within_s

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the block as one of the running requests.

        :raises Overloaded: when the queue is full or no place was free in time. The block is not run.
        """
        self._await_turn()
        admitted = AdmittedRequest(self._at_work)
        outer = _running.set(admitted)
        try:
            yield
        finally:
            _running.reset(outer)
            admitted.end()

    @contextmanager
    def waiting_for_outcome(self) -> Iterator[bool]:
        """Take a place for a waiting client, and yield whether one was free. With it, the request no longer counts as
        running."""
        has_place = self._waiting.acquire(blocking=False)
        if has_place and (admitted := _running.get()):
            admitted.end()
        try:
            yield has_place
        finally:
            if has_place:
                self._waiting.release()

    def _await_turn(self) -> None:
        if self._at_work.acquire(blocking=False):
            return
        if not self._queued.acquire(blocking=False):
            raise Overloaded(headers={"Retry-After": "1"})
        try:
            if not self._at_work.acquire(timeout=self._queued_within_s):
                raise Overloaded(headers={"Retry-After": "1"})
        finally:
            self._queued.release()


@cache
def admission() -> Admission:
    """Return the limits of this process."""
    return Admission(at_work=settings.WEB_AT_WORK, queued=settings.WEB_QUEUED, waiting=settings.WEB_WAITING)


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Admit each request and bound its waits for servers. Answer 503 when too many requests run and wait."""

    def answer(request: HttpRequest) -> HttpResponse:
        if request.path_info in PROBES:
            return get_response(request)
        try:
            with admission().running(), deadline.within(LONGEST_REQUEST_S):
                return get_response(request)
        except Overloaded as error:  # get_response raises nothing: Django turns every exception into a response
            return problem_response(request, error)

    return answer
