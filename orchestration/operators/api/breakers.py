"""`/breakers`: the circuit breakers around gateway and carrier."""

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.json_body import UNREADABLE
from orchestration.api.problems import Problem
from orchestration.api.schema import CHALLENGE, problems
from orchestration.operators.actions import recorded_action
from orchestration.operators.actions.breakers import NoSuchBreaker, close_breaker, open_breaker, time_after
from orchestration.operators.actions.permissions import OPERATE_BREAKERS
from orchestration.operators.api import requests
from orchestration.operators.api.permissions import StaffView, actor_of
from orchestration.operators.api.requests import Opening, Word
from orchestration.operators.api.sagas import TAGS
from orchestration.operators.insight.breakers import BreakerNow, breakers
from orchestration.operators.insight.sources import Unavailable
from orchestration.operators.representations.machinery import BreakerPage, BreakerShown

SOON = {"Retry-After": "5"}
AWAY = "service_unavailable, redis_unavailable"
CHANGED: dict[Any, Any] = {
    200: BreakerShown,
    **problems(
        *UNREADABLE,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        service_unavailable="service_unavailable, redis_unavailable, not_recorded: nothing was changed; not_known.",
    ),
}


class BreakerNotFound(Problem):
    """There is no breaker of that name."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class RedisUnavailable(Problem):
    """Redis does not answer: breakers count as closed meanwhile, and nothing was changed."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "redis_unavailable"


class ChangeNotRecorded(Problem):
    """The operator and the reason could not be recorded, so nothing was changed."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "not_recorded"


class ChangeNotKnown(Problem):
    """Redis went away in the middle of it: whether it was done is not known. The same request may be sent again."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "not_known"


class Breakers(StaffView):
    """Every breaker."""

    @extend_schema(
        operation_id="list_breakers",
        tags=TAGS,
        summary="Every circuit breaker and its state",
        parameters=[CHALLENGE],
        responses={
            200: BreakerPage,
            **problems(HTTPStatus.FORBIDDEN, service_unavailable=AWAY),
        },
    )
    def get(self, request: Request) -> Response:
        return Response({"results": BreakerShown.of_each(_breakers())})


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
        body = requests.read(request, Opening)
        lasts, actor = timedelta(seconds=body["seconds"]), actor_of(request)

        def open_for_so_long() -> None:
            open_breaker(name, until=time_after(lasts), actor=actor, reason=body["reason"])

        return _change(name, body, open_for_so_long)


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
        body, actor = requests.read(request, Word), actor_of(request)
        return _change(name, body, lambda: close_breaker(name, actor=actor, reason=body["reason"]))


def _change(name: str, body: dict[str, Any], change: Callable[[], None]) -> Response:
    if not body["dry_run"]:
        try:
            change()
        except NoSuchBreaker as error:
            raise BreakerNotFound from error
        except recorded_action.NotRecorded as error:
            raise ChangeNotRecorded(headers=SOON) from error
        except recorded_action.NotDone as error:
            raise RedisUnavailable(headers=SOON) from error
        except recorded_action.NotKnown as error:
            raise ChangeNotKnown(headers=SOON) from error
    named = [each for each in _breakers(RedisUnavailable if body["dry_run"] else ChangeNotKnown) if each.name == name]
    if not named:
        raise BreakerNotFound
    return Response(BreakerShown.of(named[0]))


def _breakers(away: type[Problem] = RedisUnavailable) -> tuple[BreakerNow, ...]:
    found = breakers()
    if isinstance(found, Unavailable):
        raise away(headers=SOON)
    return found
