"""Which requests a web process takes on at a time, so that it always has a thread for its probes."""

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
"""These paths are answered at once, however many requests there are."""
LONGEST_REQUEST_S = 25.0
"""For all waits of one request for servers; a page for operators reads from all of them."""
QUEUED_WITHIN_S = 3.0
"""Seconds to wait for a turn. A customer's request that runs gives up before that, so the line moves even while a
server hangs."""

_running: ContextVar["AdmittedRequest | None"] = ContextVar("running", default=None)


class Overloaded(Problem):
    """This process has as many requests as it can work on. Send the same request, with the same key, later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "overloaded"


class AdmittedRequest:
    """A request that runs: one of the places for those is its own until it ends."""

    def __init__(self, places: threading.Semaphore) -> None:
        self._places = places
        self._is_over = False

    def end(self) -> None:
        """Let the next request run; ending it again changes nothing."""
        if not self._is_over:
            self._is_over = True
            self._places.release()


class Admission:
    """Counts the requests of one process: those that run, those that are queued, and those that wait for an outcome."""

    def __init__(self, *, at_work: int, queued: int, waiting: int, queued_within_s: float = QUEUED_WITHIN_S) -> None:
        self._at_work = threading.Semaphore(at_work)
        self._queued = threading.Semaphore(queued)
        self._waiting = threading.Semaphore(waiting)
        self._queued_within_s = queued_within_s

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the block as one of the requests that run.

        :raises Overloaded: when the queue is full, or there was no place in time; the block is not run.
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
        """Give this request one of the places for clients that wait, if there is one; it then no longer runs."""
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
    """Give this process's own."""
    return Admission(at_work=settings.WEB_AT_WORK, queued=settings.WEB_QUEUED, waiting=settings.WEB_WAITING)


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Admit each request and bound its waits for servers; answer 503 when too many run and wait."""

    def answer(request: HttpRequest) -> HttpResponse:
        if request.path_info in PROBES:
            return get_response(request)
        try:
            with admission().running(), deadline.within(LONGEST_REQUEST_S):
                return get_response(request)
        except Overloaded as error:  # get_response raises nothing: Django has made a response of whatever was raised
            return problem_response(request, error)

    return answer
