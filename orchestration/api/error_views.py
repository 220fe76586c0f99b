"""Problem documents for errors outside the views: routing, hosts, middleware."""

import sys
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt

from orchestration.api.problems import CONTENT_TYPE, Document, InternalError, Problem, document_of

API_PATH = "/api/"
"""Errors below this path are problem documents for programs. Elsewhere (the admin) they are pages for people."""


@csrf_exempt  # it is a route of the API as well, and changes nothing
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a path that no route knows (`handler404`, and the API's last route)."""
    if _for_people(request):
        return defaults.page_not_found(request, exception or Exception())
    return _answer(HTTPStatus.NOT_FOUND, "not_found", "There is nothing at this address.")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django itself rejected (`handler400`)."""
    if _for_people(request):
        return defaults.bad_request(request, exception)
    return _answer(HTTPStatus.BAD_REQUEST, "bad_request", "The request cannot be read.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that a middleware rejected (`handler403`)."""
    if _for_people(request):
        return defaults.permission_denied(request, exception)
    return _answer(HTTPStatus.FORBIDDEN, "permission_denied", "This is not allowed.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a request that failed outside a view or in a page for people (`handler500`). Django has logged the error.

    If a database did not answer, the status is 503: the next request uses another session.
    """
    error = sys.exception()
    return _failed(request, document_of(error) if isinstance(error, Exception) else InternalError().document)


def problem_response(request: HttpRequest, problem: Problem) -> HttpResponse:
    """Answer with a problem that was raised outside Django's handlers."""
    return _failed(request, problem.document)


def _for_people(request: HttpRequest) -> bool:
    return not request.path_info.startswith(API_PATH)


def _failed(request: HttpRequest, document: Document) -> HttpResponse:
    if not _for_people(request):
        return _response(document)
    page = defaults.server_error(request)
    if document.status == HTTPStatus.SERVICE_UNAVAILABLE:
        page.status_code = document.status
        for name, value in document.headers.items():
            page[name] = value
    return page


def _answer(status: HTTPStatus, code: str, detail: str) -> HttpResponse:
    return _response(Document(status, code, status.phrase, detail))


def _response(document: Document) -> HttpResponse:
    return JsonResponse(document.as_json(), status=document.status, headers=document.headers, content_type=CONTENT_TYPE)
