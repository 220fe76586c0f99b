"""`/breakers`: the circuit breakers around gateway and carrier."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration import shown
from orchestration.api.bodies import UNREADABLE
from orchestration.api.operators import bodies, representations
from orchestration.api.operators.bodies import Opening, Word
from orchestration.api.operators.sagas import TAGS
from orchestration.api.operators.staff import StaffView, actor_of
from orchestration.api.problems import Problem
from orchestration.api.schema import CHALLENGE, problems
from orchestration.insight.breakers import BreakerNow, NoSuchBreaker, breakers, close_breaker, open_breaker
from orchestration.insight.reading import Unavailable
from orchestration.operations.permissions import OPERATE_BREAKERS

CHANGED: dict[Any, Any] = {
    200: representations.BreakerShown,
    **problems(
        *UNREADABLE,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
    ),
}


class NotFound(Problem):
    """There is no breaker of that name."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class RedisAway(Problem):
    """Redis does not answer: breakers count as closed meanwhile, and nothing was changed."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "redis_unavailable"


class Breakers(StaffView):
    """Every breaker."""

    @extend_schema(
        operation_id="list_breakers",
        tags=TAGS,
        summary="Every circuit breaker and its state",
        parameters=[CHALLENGE],
        responses={200: representations.BreakerPage, **problems(HTTPStatus.FORBIDDEN)},
    )
    def get(self, request: Request) -> Response:
        """:raises RedisAway: when it does not answer."""
        return Response({"results": [shown.breaker(each) for each in _breakers()]})


class Open(StaffView):
    """A breaker made to let no call through."""

    needs = {"POST": (OPERATE_BREAKERS,)}

    @extend_schema(
        operation_id="open_breaker",
        tags=TAGS,
        summary="Make no calls for a while: orders wait, and it is no attempt",
        parameters=[CHALLENGE],
        request={"application/json": Opening},
        responses=CHANGED,
    )
    def post(self, request: Request, name: str) -> Response:
        """:raises Problem: when there is none, or Redis is away."""
        said = bodies.read(request, Opening)
        until = datetime.now(UTC) + timedelta(seconds=said["seconds"])
        by = actor_of(request).name
        return _change(name, said, lambda: open_breaker(name, until=until, by=by, reason=said["reason"]))


class Close(StaffView):
    """A breaker made to let every call through."""

    needs = {"POST": (OPERATE_BREAKERS,)}

    @extend_schema(
        operation_id="close_breaker",
        tags=TAGS,
        summary="Have calls made again at once, instead of a probe first",
        parameters=[CHALLENGE],
        request={"application/json": Word},
        responses=CHANGED,
    )
    def post(self, request: Request, name: str) -> Response:
        """:raises Problem: when there is none, or Redis is away."""
        said, by = bodies.read(request, Word), actor_of(request).name
        return _change(name, said, lambda: close_breaker(name, by=by, reason=said["reason"]))


def _change(name: str, said: dict[str, Any], change: Callable[[], None]) -> Response:
    if not said["dry_run"]:
        try:
            change()
        except NoSuchBreaker as error:
            raise NotFound from error
        except RedisError as error:
            raise RedisAway(headers={"Retry-After": "5"}) from error
    named = [each for each in _breakers() if each.name == name]
    if not named:
        raise NotFound
    return Response(shown.breaker(named[0]))


def _breakers() -> tuple[BreakerNow, ...]:
    found = breakers(now=datetime.now(UTC))
    if isinstance(found, Unavailable):
        raise RedisAway(headers={"Retry-After": "5"})
    return found
