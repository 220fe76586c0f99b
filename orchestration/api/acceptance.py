"""Starts a saga for an HTTP request, once for each idempotency key."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Generic, TypeVar
from uuid import UUID

from rest_framework.exceptions import ValidationError

from orchestration.api.idempotency import KeyInProgressProblem, KeyReusedProblem
from orchestration.api.problems import Problem
from orchestration.contracts.codec import decode
from orchestration.engine import admission, engine, selectors
from orchestration.protocol.saga import Saga
from orchestration.sagas import definition_of

BUSY_FOR_S = 10
"""The value of `Retry-After` in seconds: a backlog shrinks by a few hundred orders in that time."""

R = TypeVar("R")


class TooBusy(Problem):
    """More orders are under way than this shop accepts at once. Send the same request, with the same key, later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "too_busy"


@dataclass(frozen=True)
class StartAttempt:
    """One request to start a saga. All requests with the same customer and key mean the saga of the first one.

    `saga_id` is the saga's id if this request is the first. `reused` makes the problem of a key that stands for another
    request, of the saga with the given id.
    """

    saga: Saga
    saga_id: UUID
    origin: engine.Origin
    reused: Callable[[UUID], KeyReusedProblem]


@dataclass(frozen=True)
class AcceptedSaga(Generic[R]):
    """A saga as it was requested. It never changes."""

    id: UUID
    request: R
    created_at: datetime


def accept(attempt: StartAttempt, request_of: Callable[[], R], *, now: datetime) -> AcceptedSaga[R]:
    """Start the saga with the request that `request_of` makes, or find the one that an earlier attempt started.

    Most attempts are the first one, so an earlier one is looked for only after the start fails.

    :raises Problem: as `request_of` does, or when the shop is too busy, or the key was used for another request.
    """
    try:
        return _start(attempt, request_of, now)
    except (Problem, ValidationError, _StartedBefore):
        if accepted := _accepted_before(attempt):
            return accepted
        raise


class _StartedBefore(Exception):
    """The saga of this attempt exists already."""


def _start(attempt: StartAttempt, request_of: Callable[[], R], now: datetime) -> AcceptedSaga[R]:
    if admission.is_full():
        raise TooBusy(headers={"Retry-After": str(BUSY_FOR_S)})
    request = request_of()
    try:
        started = engine.start_saga(attempt.saga, request, saga_id=attempt.saga_id, origin=attempt.origin, now=now)
    except engine.KeyReused as error:
        raise KeyReusedProblem from error
    except engine.KeyInProgress as error:
        raise KeyInProgressProblem(headers={"Retry-After": "1"}) from error
    if not started.created:
        raise _StartedBefore
    return AcceptedSaga(started.saga_id, request, now)


def _accepted_before(attempt: StartAttempt) -> AcceptedSaga[Any] | None:
    instance = selectors.saga_by_key(attempt.origin.customer_id, attempt.origin.idempotency_key)
    if instance is None:
        return None
    if instance.request_hash != attempt.origin.request_hash:
        raise attempt.reused(instance.id)
    request: Any = decode(definition_of(instance.definition).request, instance.request)
    return AcceptedSaga(instance.id, request, instance.created_at)
