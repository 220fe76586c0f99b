"""Answers a request that has started a saga: accepted, or with the outcome if the client waits and it comes in time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from rest_framework.response import Response

from orchestration.api.admission import admission
from orchestration.api.completion_listener import Expected, ends
from orchestration.api.polling import wait_for
from orchestration.db import deadline

RETRY_AFTER_S = 1
LOOKS_WITHIN_S = 2.0
"""The limit of one look for the outcome. If a database takes longer, the client is told that its request is accepted.
"""


class Identified(Protocol):
    """An accepted saga."""

    @property
    def id(self) -> UUID: ...


A = TypeVar("A", bound=Identified)
D = TypeVar("D")


@dataclass(frozen=True)
class Answers(Generic[A, D]):
    """The answers of one kind of resource.

    `decided` looks whether the outcome is known. `accepted_body` and `decided_body` are the bodies of 202 and 200;
    `decided_body` may raise a problem instead.
    """

    location: Callable[[A], str]
    decided: Callable[[A], D | None]
    accepted_body: Callable[[A], dict[str, Any]]
    decided_body: Callable[[D], dict[str, Any]]

    def answer(self, saga_id: UUID, accept: Callable[[], A], wait: timedelta) -> Response:
        """Call `accept` and answer. `saga_id` is the id of the saga if `accept` starts a new one."""
        if not wait:
            return self._accepted(accept())
        with ends().expected(saga_id) as end:  # before the saga starts, or its end could be missed
            accepted = accept()
            if accepted.id == saga_id:
                return self._outcome(accepted, wait, end, at_once=False)  # a new one is not decided yet
        with ends().expected(accepted.id) as end:
            return self._outcome(accepted, wait, end, at_once=True)

    def _outcome(self, accepted: A, wait: timedelta, end: Expected, *, at_once: bool) -> Response:
        """Return the outcome if it is decided in time, else the saga as it was accepted.

        If too many clients wait already, return it at once.
        """

        def look() -> D | None:
            with deadline.separate_bound(LOOKS_WITHIN_S):
                return self.decided(accepted)

        with admission().waiting_for_outcome() as has_place:
            if not has_place:
                return self._accepted(accepted)
            outcome = wait_for(look, wait, pauses=end.pauses(), pause=end.pause, at_once=at_once)
        applied = {"Preference-Applied": f"wait={wait.seconds}"}
        if outcome is None:
            return self._accepted(accepted, **applied)
        return Response(self.decided_body(outcome), headers={"Location": self.location(accepted), **applied})

    def _accepted(self, accepted: A, **headers: str) -> Response:
        headers |= {"Location": self.location(accepted), "Retry-After": str(RETRY_AFTER_S)}
        return Response(self.accepted_body(accepted), HTTPStatus.ACCEPTED, headers=headers)
