"""The OpenAPI document is complete, and the API does what it says."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.management import call_command
from django.test import Client
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from config.wsgi import application
from tests.integration.api.conftest import EVERY_DATABASE, Shopper

pytestmark = [pytest.mark.django_db(databases=EVERY_DATABASE), pytest.mark.usefixtures("catalogue")]

REFUSALS = [400, 401, 403, 404, 406, 409, 413, 415, 422]
"""What a request of the wrong shape may be answered; a cart of more than 64 KB is too large before it is malformed."""

described = schemathesis.openapi.from_wsgi(
    "/api/v1/schema",
    application,
    config=schemathesis.Config.from_dict(
        {
            "generation": {"allow-extra-parameters": False},
            "checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}},
        }
    ),
)

DOCS = Path(__file__).parents[3] / "docs" / "http.md"
OPERATIONS = {
    "create_checkout",
    "get_checkout",
    "cancel_checkout",
    "list_orders",
    "get_order",
    "cancel_order",
    "list_order_changes",
    "get_order_change",
    "list_returns",
    "request_return",
    "get_return",
    "get_credit",
    "list_products",
}
FOR_STAFF = {
    "refund_order",
    "dispatch_order",
    "receive_return",
    "refuse_return",
    "list_sagas",
    "count_sagas",
    "get_saga",
    "why_saga",
    "draw_saga",
    "get_stats",
    "list_saga_batches",
    "ask_for_saga_batch",
    "get_saga_batch",
    "approve_saga_batch",
    "stop_saga_batch",
    "list_operator_log",
    "act_on_saga",
    "list_breakers",
    "open_breaker",
    "close_breaker",
    "list_machinery_log",
    "list_locks",
    "break_lock",
    "approve_lock_break",
}
checked = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def document() -> dict[str, Any]:
    response = Client().get("/api/v1/schema", headers={"Accept": "application/json"})
    return dict(response.json())


@pytest.mark.django_db(transaction=True, databases=EVERY_DATABASE)
@described.exclude(tag="staff").parametrize()
@settings(checked, max_examples=60)
def test_api_does_what_its_description_says(case: schemathesis.Case[Any], ada: Shopper) -> None:
    case.call_and_validate(
        headers={"Authorization": f"Token {ada.token}"},
        excluded_checks=[positive_data_acceptance],  # a cart of the right shape may name what is not sold
    )


@pytest.mark.django_db(transaction=True, databases=EVERY_DATABASE)
@described.include(tag="staff").parametrize()
@settings(checked, max_examples=12)
def test_staff_api_does_what_its_description_says(case: schemathesis.Case[Any], boss: Shopper) -> None:
    case.call_and_validate(
        headers={"Authorization": f"Token {boss.token}"},
        # what is asked for of the right shape need not be possible; and in a query, which has no types, null is a word
        excluded_checks=[positive_data_acceptance, *([negative_data_rejection] if case.method == "GET" else [])],
    )


def test_document_is_valid_and_complete() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=io.StringIO())


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for path in document["paths"].values() for operation in path.values()]


def test_document_has_every_operation(document: dict[str, Any]) -> None:
    assert {operation["operationId"] for operation in operations(document)} == OPERATIONS | FOR_STAFF


def test_what_a_status_is_and_what_may_be_asked_for_have_names_of_their_own(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert set(schemas["SagaStatusAsked"]["enum"]) - set(schemas["SagaStatus"]["enum"]) == {"unfinished"}
    asked = schemas["Which"]["properties"]["status"]["items"]
    assert asked == {"$ref": "#/components/schemas/SagaStatusAsked"}


def test_docs_name_every_operation_and_no_other(document: dict[str, Any]) -> None:
    described = {
        (method.upper(), blanked(path.removeprefix("/api/v1")))
        for path, operations in document["paths"].items()
        for method in operations
    }
    rows = re.findall(r"^\| (`(?:GET|POST) [^|]*)", DOCS.read_text(), re.MULTILINE)
    named = [(method, blanked(path)) for row in rows for method, path in re.findall(r"`(\w+) (/[^`]*)`", row)]
    assert sorted(named) == sorted(described)


def blanked(path: str) -> str:
    """The path without the names of its parameters."""
    return re.sub(r"{\w+}", "{}", path)


def test_every_error_is_described_as_a_problem(document: dict[str, Any]) -> None:
    for operation in operations(document):
        errors = {status: found for status, found in operation["responses"].items() if status >= "400"}
        assert {"401", "500", "503"} <= errors.keys()
        assert all(list(error["content"]) == ["application/problem+json"] for error in errors.values())


def test_headers_of_a_checkout_are_described(document: dict[str, Any]) -> None:
    checkout = document["paths"]["/api/v1/checkouts"]["post"]
    parameters = {parameter["name"]: parameter for parameter in checkout["parameters"]}
    assert parameters["Idempotency-Key"]["required"]
    assert "required" not in parameters["Prefer"]
    assert checkout["responses"]["202"]["headers"].keys() == {"Location", "Retry-After", "Preference-Applied"}
    assert checkout["requestBody"]["content"]["application/json"]["examples"]


def test_docs_page_loads_nothing_from_elsewhere() -> None:
    page = Client().get("/api/v1/docs").text
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert loaded
    assert all(address.startswith("/static/") or address == "/favicon.ico" for address in loaded)
    assert not re.findall(r"https?://", page)
