"""Parts of the OpenAPI document that several operations share."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from orchestration.api.idempotency import KEY_PATTERN, LONGEST_KEY
from orchestration.api.problems import CONTENT_TYPE

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": KEY_PATTERN},
    OpenApiParameter.HEADER,
    required=True,
    description="Chosen by the client, one per purchase or change, the same for every attempt at it; a comma only "
    "within double quotes. Keys are the person's own and are kept for 30 days after the end, or longer.",
)
OPTIONAL_IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    IDEMPOTENCY_KEY.type,
    OpenApiParameter.HEADER,
    description="Chosen by the client, the same for every attempt at one request. Keys are the user's own.",
)
PREFER = OpenApiParameter(
    "Prefer",
    str,
    OpenApiParameter.HEADER,
    description="`wait=N` (RFC 7240): answer when the outcome is known, after N seconds at the latest; at most 10.",
)
CHALLENGE = OpenApiParameter(
    "WWW-Authenticate", str, OpenApiParameter.HEADER, response=[401], description="How to authenticate: `Token`."
)


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document describes authentication."""

    target_class = "orchestration.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token ` and the customer's token.",
        }


class ProblemField(serializers.Serializer[Any]):
    pointer = serializers.CharField(allow_blank=True, help_text="JSON pointer (RFC 6901) into the request body.")
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemDocument(serializers.Serializer[Any]):
    """An error (RFC 9457). Some problems have further members."""

    type = serializers.CharField(help_text="`urn:problem:` and the code.")
    title = serializers.CharField(help_text="The same for every problem of this type.")
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField(help_text="The name that programs may compare.")
    errors = ProblemField(many=True, help_text="The members of the request body at fault.")  # type: ignore[assignment]


def problems(*statuses: HTTPStatus, **descriptions: str) -> Mapping[tuple[int, str], OpenApiResponse]:
    """Describe the errors that an operation may answer. 401, 406, 500 and 503 are always among them.

    `descriptions` are by status name in lower case, e.g. `conflict="…"`.
    """
    everywhere = (
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.NOT_ACCEPTABLE,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.SERVICE_UNAVAILABLE,
    )
    return {
        (status.value, CONTENT_TYPE): OpenApiResponse(
            ProblemDocument, description=descriptions.get(status.name.lower(), status.phrase)
        )
        for status in sorted({*statuses, *everywhere})
    }


def response_header(name: str, description: str, *statuses: int, kind: type = str) -> OpenApiParameter:
    """Describe a header of the responses with these statuses."""
    return OpenApiParameter(name, kind, OpenApiParameter.HEADER, response=list(statuses), description=description)
