"""`/locks`: the locks that sagas hold, and how two people break one."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.json_body import UNREADABLE
from orchestration.api.problems import Problem
from orchestration.api.schema import CHALLENGE, problems
from orchestration.operators.actions import lock_breaks, recorded_action
from orchestration.operators.actions.lock_breaks import NoSuchLock, NotAskedFor, NotForThisPerson
from orchestration.operators.actions.permissions import BREAK_LOCK
from orchestration.operators.api import requests
from orchestration.operators.api.permissions import StaffView, actor_of
from orchestration.operators.api.sagas import TAGS
from orchestration.operators.insight.locks import locks
from orchestration.operators.representations.locks import LockBreakShown, LockPage, LockShown

R = TypeVar("R")
SOON = {"Retry-After": "5"}


class LockNotFound(Problem):
    """No saga holds this lock."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class BreakRefused(Problem):
    """The lock is not broken. A second person must approve what another one has asked for."""

    status = HTTPStatus.CONFLICT
    code = "not_approved"


class LocksUnavailable(Problem):
    """A database did not answer, so nothing was changed."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "service_unavailable"


class BreakNotKnown(Problem):
    """A database failed during the action. It is not known whether the lock is broken: send the request again."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "not_known"


BREAKING: Mapping[Any, Any] = problems(
    *UNREADABLE,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    conflict="not_approved: there is no request, or it is of the same person.",
    service_unavailable="service_unavailable: nothing was changed; not_known.",
)


class LockList(StaffView):
    """Every lock that a saga holds."""

    @extend_schema(
        operation_id="list_locks",
        tags=TAGS,
        summary="The locks that sagas hold, and the sagas that wait for them",
        description="Those held longest come first, 200 at most.",
        parameters=[CHALLENGE],
        responses={200: LockPage, **problems(HTTPStatus.FORBIDDEN)},
    )
    def get(self, request: Request) -> Response:
        found = locks()
        return Response({"results": LockShown.of_each(found.locks), "unavailable": [each.why for each in found.down]})


class LockBreaking(StaffView):
    """A request to take a lock from its saga."""

    needs = {"POST": (BREAK_LOCK,)}

    @extend_schema(
        operation_id="break_lock",
        tags=TAGS,
        summary="Ask to break a lock; a second person must approve it",
        parameters=[CHALLENGE],
        request={"application/json": requests.Breaking},
        responses={202: LockBreakShown, **BREAKING},
    )
    def post(self, request: Request, resource: str) -> Response:
        body = requests.read(request, requests.Breaking)
        asked = _done(lambda: lock_breaks.ask_to_break(resource, actor=actor_of(request), **body))
        return Response(LockBreakShown.of(asked), HTTPStatus.ACCEPTED)


class LockBreakApproval(StaffView):
    """The approval of the second person, which breaks the lock."""

    needs = {"POST": (BREAK_LOCK,)}

    @extend_schema(
        operation_id="approve_lock_break",
        tags=TAGS,
        summary="Break a lock, as the second person",
        description="The steps that its saga takes under the lock from now on are refused. The person who asked for it "
        "cannot approve it.",
        parameters=[CHALLENGE],
        request=None,
        responses={200: LockBreakShown, **BREAKING},
    )
    def post(self, request: Request, resource: str) -> Response:
        broken = _done(lambda: lock_breaks.approve_break(resource, actor=actor_of(request)))
        return Response(LockBreakShown.of(broken.request))


def _done(act: Callable[[], R]) -> R:
    try:
        return act()
    except NoSuchLock as error:
        raise LockNotFound from error
    except (NotAskedFor, NotForThisPerson) as error:
        raise BreakRefused(str(error)) from error
    except recorded_action.NotDone as error:
        raise LocksUnavailable(headers=SOON) from error
    except recorded_action.NotKnown as error:
        raise BreakNotKnown(headers=SOON) from error
