"""Which requests a web process takes on at a time, so that it always has a thread for its probes."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from orchestration import deadline
from orchestration.api.handlers import problem_response
from orchestration.api.problems import Problem

PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""These paths are answered at once, however many requests there are."""
LONGEST_REQUEST_S = 25.0
"""For all waits of one request for servers; a page for operators reads from all of them."""
IN_LINE_S = 10.0
"""For a turn. A line does not stand still for a server that hangs: whoever is at work gives up long before this."""

_turn: ContextVar["Turn | None"] = ContextVar("turn", default=None)


class Overloaded(Problem):
    """This process has as many requests as it can work on. Send the same request, with the same key, later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "overloaded"


class Turn:
    """One request's place among those that are worked on."""

    def __init__(self, places: threading.Semaphore) -> None:
        self._places = places
        self._is_over = False

    def end(self) -> None:
        """Let the next request have its turn; ending it again changes nothing."""
        if not self._is_over:
            self._is_over = True
            self._places.release()


class Admission:
    """Counts the requests of one process: those at work, those in line for that, and those that wait for an outcome."""

    def __init__(self, *, at_work: int, in_line: int, waiting: int, in_line_s: float = IN_LINE_S) -> None:
        self._at_work = threading.Semaphore(at_work)
        self._in_line = threading.Semaphore(in_line)
        self._waiting = threading.Semaphore(waiting)
        self._in_line_s = in_line_s

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Run the block as one of the requests at work.

        :raises Overloaded: when the line is full, or there was no turn in time; the block is not run.
        """
        self._await_turn()
        turn = Turn(self._at_work)
        outer = _turn.set(turn)
        try:
            yield
        finally:
            _turn.reset(outer)
            turn.end()

    @contextmanager
    def waiting_place(self) -> Iterator[bool]:
        """Give this request one of the places of clients that wait, if there is one; it then ends its turn at work."""
        has_place = self._waiting.acquire(blocking=False)
        if has_place and (turn := _turn.get()):
            turn.end()
        try:
            yield has_place
        finally:
            if has_place:
                self._waiting.release()

    def _await_turn(self) -> None:
        if self._at_work.acquire(blocking=False):
            return
        if not self._in_line.acquire(blocking=False):
            raise Overloaded(headers={"Retry-After": "1"})
        try:
            if not self._at_work.acquire(timeout=self._in_line_s):
                raise Overloaded(headers={"Retry-After": "1"})
        finally:
            self._in_line.release()


@cache
def admission() -> Admission:
    """Give this process's own."""
    return Admission(at_work=settings.WEB_AT_WORK, in_line=settings.WEB_IN_LINE, waiting=settings.WEB_WAITING)


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Give each request its turn and bound its waits for servers; answer 503 when there is no turn for it."""

    def answer(request: HttpRequest) -> HttpResponse:
        if request.path_info in PROBES:
            return get_response(request)
        try:
            with admission().turn(), deadline.within(LONGEST_REQUEST_S):
                return get_response(request)
        except Overloaded as error:  # get_response raises nothing: Django has made a response of whatever was raised
            return problem_response(error)

    return answer
