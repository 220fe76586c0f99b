"""The permissions of the operators' resources: they are for staff with the permission that the method needs."""

from typing import ClassVar

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from orchestration.models.actions import OperatorAction, Via
from orchestration.operators.actions.permissions import allowed
from orchestration.operators.actions.requests import PERMISSIONS, Actor

VIEW_SAGAS = "orchestration.view_sagainstance"


class Staff(BasePermission):
    """Staff with at least one of the view's permissions, by method."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        needed: dict[str, tuple[str, ...]] = getattr(view, "needs", {})
        method = "GET" if request.method == "HEAD" else request.method  # REST framework answers HEAD with `get`
        if method not in needed:
            return bool(request.user and request.user.is_authenticated)  # the view answers 405
        user = request.user
        return bool(user.is_staff and any(user.has_perm(each) for each in needed[method]))


class StaffView(APIView):
    """A resource for staff: `needs` names, by method, permissions one of which is enough to be heard."""

    permission_classes = (Staff,)
    needs: ClassVar[dict[str, tuple[str, ...]]] = {"GET": (VIEW_SAGAS,)}


ANY_ACTION = tuple(PERMISSIONS.values())


def refuse_unless_allowed(request: Request, action: OperatorAction) -> None:
    """Check that the user may do the action to a saga.

    :raises PermissionDenied: when the user may not.
    """
    if not allowed(request.user, action):
        raise PermissionDenied


def actor_of(request: Request) -> Actor:
    """Return the user of the request as the actor that the operator log names."""
    return Actor(request.user.get_username(), request.user.pk, Via.API)
