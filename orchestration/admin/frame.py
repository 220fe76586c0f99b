"""The common parts of all operators' pages: the admin's frame, and the check of permissions."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from orchestration.models.actions import Via
from orchestration.operators.actions.requests import Actor

View = Callable[..., HttpResponse]

VIEW_SAGAS = "orchestration.view_sagainstance"


def page(request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
    """Render a page within the admin's frame."""
    return TemplateResponse(request, template, {**admin.site.each_context(request), "title": title, **context})


def fragment(request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
    """Render a part of a page that the page refreshes from time to time. The part is never cached."""
    response = TemplateResponse(request, template, context)
    response["Cache-Control"] = "no-store"
    return response


def for_operators(permission: str) -> Callable[[View], View]:
    """Open a view only to staff with the permission. Others are redirected to the login, or refused."""

    def guard(view: View) -> View:
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            see(request, permission)
            return view(request, *args, **kwargs)

        @wraps(view)
        def opened(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            return admin.site.admin_view(guarded)(request, *args, **kwargs)

        return opened

    return guard


def see(request: HttpRequest, permission: str) -> None:
    """Refuse a user without the permission.

    :raises PermissionDenied: when they lack it.
    """
    if not request.user.has_perm(permission):  # type: ignore[union-attr]
        raise PermissionDenied(permission)


def actor_of(request: HttpRequest) -> Actor:
    """Return the user of the request as the actor that the operator log names."""
    return Actor(request.user.get_username(), request.user.pk, Via.ADMIN)


def is_id(text: str) -> bool:
    """Return whether the text is a UUID."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True
