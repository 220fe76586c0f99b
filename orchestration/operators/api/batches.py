"""`/saga-batches`: one action on many sagas, with a canary, a rate and, where money moves, a second person."""

from http import HTTPStatus
from uuid import UUID

from drf_spectacular.utils import OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from orchestration.api import idempotency
from orchestration.api.json_body import UNREADABLE
from orchestration.api.problems import FieldError, Problem, ValidationFailed
from orchestration.api.schema import CHALLENGE, OPTIONAL_IDEMPOTENCY_KEY, problems
from orchestration.models import ALIAS, Batch
from orchestration.models.actions import OperatorAction
from orchestration.operators.actions import batches
from orchestration.operators.actions.batch_keys import BatchKeyReused, NotABatch
from orchestration.operators.actions.batch_pacing import Pace
from orchestration.operators.actions.permissions import APPROVE_BATCH, STOP_BATCH, may_approve
from orchestration.operators.api import filters, requests
from orchestration.operators.api.pages import Paged, page
from orchestration.operators.api.permissions import ANY_ACTION, VIEW_SAGAS, StaffView, actor_of, refuse_unless_allowed
from orchestration.operators.api.requests import BatchAsked, Stopping
from orchestration.operators.api.sagas import INVALID, TAGS
from orchestration.operators.insight.saga_filter import SagaFilter, saga_filter_from
from orchestration.operators.representations.batches import BatchListed, BatchPage, BatchPreviewShown, BatchShown

REFUSED = "batch_refused: the detail says why."


class NoSuchBatch(Problem):
    """There is no such batch."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class BatchRefused(Problem):
    """The batch cannot be asked for, or approved."""

    status = HTTPStatus.CONFLICT
    code = "batch_refused"


class BatchList(StaffView):
    """Every batch."""

    needs = {"GET": (VIEW_SAGAS,), "POST": ANY_ACTION}

    @extend_schema(
        operation_id="list_saga_batches",
        tags=TAGS,
        summary="Batches, the newest first",
        parameters=[Paged, CHALLENGE],
        responses={
            200: BatchPage,
            **problems(HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, bad_request=INVALID),
        },
    )
    def get(self, request: Request) -> Response:
        query = filters.asked(request, Paged)
        return Response(
            page(request, query, Batch.objects.using(ALIAS).all(), batches.NEWEST_FIRST, BatchListed.of_each)
        )

    @extend_schema(
        operation_id="ask_for_saga_batch",
        tags=TAGS,
        summary="Do something to many sagas",
        description="The sagas are chosen now, at most ten thousand, and each is looked at again when its turn comes. "
        "What moves money waits for a second person. With `dry_run` the answer says what would happen. With an "
        "`Idempotency-Key` the same request sent again answers the batch that it made the first time.",
        parameters=[OPTIONAL_IDEMPOTENCY_KEY, CHALLENGE],
        request={"application/json": BatchAsked},
        responses={
            200: OpenApiResponse(
                PolymorphicProxySerializer(
                    component_name="BatchAnswer",
                    serializers=[BatchPreviewShown, BatchShown],
                    resource_type_field_name=None,
                ),
                description="With `dry_run` a preview, else the batch.",
            ),
            **problems(
                *UNREADABLE,
                HTTPStatus.FORBIDDEN,
                HTTPStatus.CONFLICT,
                conflict=REFUSED,
                bad_request="idempotency_key_malformed, malformed_json, body_unreadable",
                unprocessable_entity="idempotency_key_reused, validation_failed",
            ),
        },
    )
    def post(self, request: Request) -> Response:
        body = requests.read(request, BatchAsked)
        refuse_unless_allowed(request, OperatorAction(body["action"]))
        wanted, ask = saga_filter_from(body["sagas"]), requests.ask_of(body, actor_of(request))
        if wanted == SagaFilter():
            raise ValidationFailed(errors=[FieldError("/sagas", "empty", "Every saga is too many: say which.")])
        if body["dry_run"]:
            return Response(BatchPreviewShown.of(batches.preview_batch(wanted, ask)))
        pace = Pace(body["canary"], body["per_second"], body["stop_above_percent"])
        try:
            return Response(BatchShown.of(batches.ask_for_batch(wanted, ask, pace, key=_key(request))))
        except BatchKeyReused as error:
            raise idempotency.KeyReusedProblem(str(error)) from error
        except NotABatch as error:
            raise BatchRefused(str(error)) from error


class OneBatch(StaffView):
    """One batch."""

    @extend_schema(
        operation_id="get_saga_batch",
        tags=TAGS,
        summary="How far a batch has come, and what failed",
        parameters=[CHALLENGE],
        responses={200: BatchShown, **problems(HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN)},
    )
    def get(self, request: Request, batch_id: UUID) -> Response:
        return Response(BatchShown.of(_batch(batch_id)))


class Approval(StaffView):
    """The word of a second person."""

    needs = {"POST": (APPROVE_BATCH,)}

    @extend_schema(
        operation_id="approve_saga_batch",
        tags=TAGS,
        summary="Be the second person of a batch that moves money",
        description="Wants the permission of its action as well. Whoever asked for it cannot approve it.",
        parameters=[CHALLENGE],
        request=None,
        responses={
            200: BatchShown,
            **problems(HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, conflict=REFUSED),
        },
    )
    def post(self, request: Request, batch_id: UUID) -> Response:
        batch = _batch(batch_id)
        if not may_approve(request.user, OperatorAction(batch.action)):
            raise PermissionDenied
        try:
            return Response(BatchShown.of(batches.approve(batch, actor_of(request))))
        except batches.NotApproved as error:
            raise BatchRefused(str(error)) from error


class BatchStop(StaffView):
    """The end of a batch before its time."""

    needs = {"POST": (STOP_BATCH,)}

    @extend_schema(
        operation_id="stop_saga_batch",
        tags=TAGS,
        summary="Begin no further member; those that are done stay done",
        parameters=[CHALLENGE],
        request={"application/json": Stopping},
        responses={
            200: BatchShown,
            **problems(*UNREADABLE, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
        },
    )
    def post(self, request: Request, batch_id: UUID) -> Response:
        body = requests.read(request, Stopping)
        return Response(BatchShown.of(batches.stop(_batch(batch_id), actor_of(request), body["reason"])))


def _key(request: Request) -> str | None:
    """Return the request's idempotency key, prefixed to be distinct from keys of admin forms; None without one."""
    return f"request:{idempotency.idempotency_key(request)}" if "Idempotency-Key" in request.headers else None


def _batch(batch_id: UUID) -> Batch:
    found = Batch.objects.using(ALIAS).filter(pk=batch_id).first()
    if found is None:
        raise NoSuchBatch
    return found
