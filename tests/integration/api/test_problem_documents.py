"""Every error is an RFC 9457 problem document."""

import gzip
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404
from django.test import Client, RequestFactory
from knox.models import AuthToken
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from orchestration.api import error_views
from orchestration.api.problems import FieldError, field_errors
from tests.integration.api.conftest import BASE, EVERY_DATABASE, Cart, Shopper

pytestmark = pytest.mark.django_db(databases=EVERY_DATABASE)

MEMBERS = {"type", "title", "status", "detail", "code", "errors"}


def is_problem(response: Any, status: int, code: str) -> bool:
    body = response.json()
    return (
        response.status_code == status
        and response["Content-Type"] == "application/problem+json"
        and body.keys() >= MEMBERS
        and body["status"] == status
        and body["code"] == code
        and body["type"] == f"urn:problem:{code}"
        and bool(body["title"] and body["detail"])
    )


@pytest.mark.parametrize("path", ["/checkouts", "/orders", "/products"])
def test_request_without_a_token_is_challenged(path: str) -> None:
    response = Client().generic("POST" if path == "/checkouts" else "GET", BASE + path)
    assert is_problem(response, 401, "not_authenticated")
    assert response["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("token", ["wrong", "", "a b", "wröng", "0" * 64, "x" * 5_000])
def test_wrong_token_is_challenged(ada: Shopper, token: str) -> None:
    response = Client(raise_request_exception=False).get(f"{BASE}/orders", headers={"Authorization": f"Token {token}"})
    assert is_problem(response, 401, "authentication_failed")
    assert response["WWW-Authenticate"] == "Token"


def test_token_is_stored_as_a_hash_only(ada: Shopper) -> None:
    stored = AuthToken.objects.values().get()
    assert ada.token not in map(str, stored.values())


@pytest.mark.parametrize("path", ["/nowhere", "/checkouts/", "/orders/not-a-uuid", "/checkouts/7", "/"])
def test_path_that_no_route_knows_is_not_found(ada: Shopper, path: str) -> None:
    assert is_problem(ada.get(path), 404, "not_found")


def test_posting_where_no_route_is_needs_no_csrf_token() -> None:
    assert is_problem(Client(enforce_csrf_checks=True).post(f"{BASE}/nowhere"), 404, "not_found")


def test_path_outside_the_version_is_not_found() -> None:
    assert is_problem(Client().get("/api/v2/orders"), 404, "not_found")


def test_method_that_is_not_there_names_those_that_are(ada: Shopper) -> None:
    response = ada.post("/orders")
    assert is_problem(response, 405, "method_not_allowed")
    assert "GET" in response["Allow"]


def test_representation_that_we_do_not_have_is_not_acceptable(ada: Shopper) -> None:
    assert is_problem(ada.get("/products", headers={"Accept": "text/csv"}), 406, "not_acceptable")


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize("accepted", ["application/problem+json", "text/csv, Application/Problem+JSON;q=0.5"])
def test_client_that_names_the_form_of_errors_alone_is_served(ada: Shopper, two_mugs: Cart, accepted: str) -> None:
    response = ada.check_out(two_mugs, Accept=accepted)
    assert (response.status_code, response["Content-Type"]) == (202, "application/json")
    assert is_problem(ada.check_out("{", Accept=accepted), 400, "malformed_json")


@pytest.mark.usefixtures("catalogue")
def test_query_parameter_that_we_do_not_know_is_ignored(ada: Shopper, two_mugs: Cart) -> None:
    body, key = json.dumps(two_mugs), {"Idempotency-Key": "k-1"}
    response = ada.post("/checkouts?format=csv", data=body, content_type="application/json", headers=key)
    assert response.status_code == 202


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
def test_encoded_body_is_refused_with_what_is_taken(ada: Shopper, two_mugs: Cart, encoding: str) -> None:
    response = ada.check_out(gzip.compress(json.dumps(two_mugs).encode()), **{"Content-Encoding": encoding})
    assert is_problem(response, 415, "unsupported_content_encoding")
    assert response["Accept-Encoding"] == "identity"


@pytest.mark.usefixtures("catalogue")
def test_body_said_to_be_unencoded_is_read(ada: Shopper, two_mugs: Cart) -> None:
    assert ada.check_out(two_mugs, **{"Content-Encoding": "Identity"}).status_code == 202


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_body_that_is_not_declared_as_json_is_unsupported(ada: Shopper, two_mugs: Cart, media_type: str) -> None:
    response = ada.post("/checkouts", data="{}", content_type=media_type, headers={"Idempotency-Key": "k"})
    assert is_problem(response, 415, "unsupported_media_type")


def test_malformed_json_is_a_bad_request(ada: Shopper) -> None:
    assert is_problem(ada.check_out("{"), 400, "malformed_json")


def test_body_over_64_kilobytes_is_too_large(ada: Shopper) -> None:
    assert is_problem(ada.check_out(" " * 65_537), 413, "body_too_large")


def test_host_that_is_not_ours_is_a_bad_request(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL):
        response = Client().get(f"{BASE}/orders/", headers={"Host": "evil.example"})
    assert is_problem(response, 400, "bad_request")


class Breaking(APIView):
    """A view that raises what it is given."""

    authentication_classes = ()
    permission_classes = ()
    error: Exception = Exception()

    def get(self, request: Request) -> Response:
        raise self.error


def answer(error: Exception) -> Any:
    response = Breaking.as_view(error=error)(RequestFactory().get("/api/v1/orders")).render()
    response.json = lambda: response.data
    return response


def test_bug_is_logged_with_its_trace_and_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    response = answer(RuntimeError("secret detail"))
    assert is_problem(response, 500, "internal_error")
    assert b"secret" not in response.content
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [RuntimeError]


def test_database_that_is_down_is_a_temporary_failure(caplog: pytest.LogCaptureFixture) -> None:
    response = answer(OperationalError("connection refused at 10.0.0.7"))
    assert is_problem(response, 503, "service_unavailable")
    assert response["Retry-After"] == "1"
    assert b"10.0.0.7" not in response.content


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Http404("secret"), 404, "not_found"),
        (PermissionDenied("secret"), 403, "permission_denied"),
        (exceptions.Throttled(wait=3), 429, "throttled"),
    ],
)
def test_errors_of_the_frameworks_are_problems_too(error: Exception, status: int, code: str) -> None:
    response = answer(error)
    assert is_problem(response, status, code)
    assert b"secret" not in response.content


def test_throttled_client_hears_when_to_come_back() -> None:
    assert answer(exceptions.Throttled(wait=3))["Retry-After"] == "3"


@pytest.mark.parametrize(
    ("call", "status", "code"),
    [
        (lambda request: error_views.not_found(request), 404, "not_found"),
        (lambda request: error_views.bad_request(request, Exception()), 400, "bad_request"),
        (lambda request: error_views.forbidden(request, Exception()), 403, "permission_denied"),
        (lambda request: error_views.server_error(request), 500, "internal_error"),
    ],
)
def test_failures_outside_the_views_are_problems_below_api_and_pages_elsewhere(
    call: Callable[[Any], Any], status: int, code: str
) -> None:
    for_programs = call(RequestFactory().get("/api/v1/orders"))
    for_people = call(RequestFactory().get("/admin/"))
    assert for_programs["Content-Type"] == "application/problem+json"
    assert f'"code": "{code}"' in for_programs.content.decode()
    assert for_people["Content-Type"].startswith("text/html")
    assert for_programs.status_code == for_people.status_code == status


def test_pointers_follow_the_nesting_of_the_body() -> None:
    detail = exceptions.ValidationError(
        {
            "non_field_errors": [exceptions.ErrorDetail("whole", "a")],
            "lines": {
                "1": {"sku": [exceptions.ErrorDetail("sku", "b")]},
                "2": {"non_field_errors": [exceptions.ErrorDetail("line", "c")]},
            },
            "list": [{}, {"x/y": [exceptions.ErrorDetail("in a list", "d")]}],
        }
    ).detail
    assert list(field_errors(detail)) == [
        FieldError("", "a", "whole"),
        FieldError("/lines/1/sku", "b", "sku"),
        FieldError("/lines/2", "c", "line"),
        FieldError("/list/1/x~1y", "d", "in a list"),
    ]
