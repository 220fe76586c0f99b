"""`/sagas/{saga_id}/actions`: the actions of an operator on one saga."""

import re
from http import HTTPStatus
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api.json_body import UNREADABLE
from orchestration.api.prefer_header import preferred_wait
from orchestration.api.problems import FieldError, Problem, ValidationFailed
from orchestration.api.schema import CHALLENGE, PREFER, problems, response_header
from orchestration.engine import engine
from orchestration.models import ALIAS, OperatorLogEntry
from orchestration.models.actions import Code, OperatorAction
from orchestration.operators.actions.outcome_watcher import observe
from orchestration.operators.actions.perform import perform
from orchestration.operators.actions.preview import preview
from orchestration.operators.api import requests
from orchestration.operators.api.permissions import ANY_ACTION, StaffView, actor_of, refuse_unless_allowed
from orchestration.operators.api.requests import ActionAsked
from orchestration.operators.api.sagas import TAGS, SagaNotFound
from orchestration.operators.representations.actions import LogEntryShown, PreviewShown

_ETAG = re.compile(r'"([0-9]{1,9})"')
IF_MATCH = OpenApiParameter(
    "If-Match",
    {"type": "string", "pattern": '^"[0-9]{1,9}"$'},
    OpenApiParameter.HEADER,
    description="The `ETag` of the saga as it was seen: act only if it is still so.",
)


class RefusedByState(Problem):
    """The state of the saga does not allow it; nothing was changed. `refusal` says why, as the operator log does."""

    status = HTTPStatus.CONFLICT
    code = "refused_by_state"


class SagaChanged(Problem):
    """The saga has changed since it was looked at; nothing was changed."""

    status = HTTPStatus.PRECONDITION_FAILED
    code = "changed_meanwhile"


class Actions(StaffView):
    """What is done to a saga."""

    needs = {"POST": ANY_ACTION}

    @extend_schema(
        operation_id="act_on_saga",
        tags=TAGS,
        summary="Resume, retry, compensate, cancel, pause, unpause, resolve or settle",
        description="Each action needs a permission of its own. With `dry_run` the answer says what would happen, also "
        "to the money. Without, it is the entry in the operator log, whose `code` is `taken`.",
        parameters=[IF_MATCH, PREFER, CHALLENGE, response_header("ETag", "The saga's version.", 200)],
        request={"application/json": ActionAsked},
        responses={
            200: OpenApiResponse(
                PolymorphicProxySerializer(
                    component_name="ActionAnswer",
                    serializers=[PreviewShown, LogEntryShown],
                    resource_type_field_name=None,
                ),
                description="With `dry_run` a preview, else the entry in the operator log.",
            ),
            **problems(
                *UNREADABLE,
                HTTPStatus.FORBIDDEN,
                HTTPStatus.NOT_FOUND,
                HTTPStatus.CONFLICT,
                HTTPStatus.PRECONDITION_FAILED,
                bad_request="malformed_json, body_unreadable",
                conflict="refused_by_state: `refusal` is the code, `log_entry` the entry in the operator log.",
                precondition_failed="changed_meanwhile: look at it again.",
            ),
        },
    )
    def post(self, request: Request, saga_id: UUID) -> Response:
        body = requests.read(request, ActionAsked)
        refuse_unless_allowed(request, OperatorAction(body["action"]))
        ask, expected = requests.ask_of(body, actor_of(request)), _expected(request, body)
        try:
            if body["dry_run"]:
                looked_at = preview(saga_id, ask)
                return Response(PreviewShown.of(looked_at), headers={"ETag": f'"{looked_at.version}"'})
            entry = perform(saga_id, ask, expected_version=expected)
            if entry.was_taken and (wait := preferred_wait(request)):
                entry = observe(entry, wait)
        except engine.NoSuchSaga as error:
            raise SagaNotFound from error
        return _answer(entry)


def _answer(entry: OperatorLogEntry) -> Response:
    if entry.code == Code.TAKEN:
        if not entry.observed:
            entry.refresh_from_db(using=ALIAS)  # the database says when it was
        return Response(LogEntryShown.of(entry), headers={"ETag": f'"{entry.after["version"]}"'})
    if entry.code == Code.CHANGED_MEANWHILE:
        raise SagaChanged(log_entry=entry.pk)
    raise RefusedByState(entry.detail, refusal=entry.code, log_entry=entry.pk)


def _expected(request: Request, body: dict[str, Any]) -> int | None:
    """Return the version that the header or the body expects; None if neither does.

    An `If-Match` that is no version becomes -1, which no saga has.

    :raises ValidationFailed: when header and body name different versions.
    """
    header = request.headers.get("If-Match", "").strip()
    if not header or header == "*":
        return body.get("expected_version")
    found = _ETAG.fullmatch(header)
    version = int(found[1]) if found else -1
    if body.get("expected_version", version) != version:
        sentence = "If-Match names another version."
        raise ValidationFailed(errors=[FieldError("/expected_version", "contradiction", sentence)])
    return version
