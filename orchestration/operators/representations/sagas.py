"""Sagas as JSON: a row of a list, a whole saga, and the why line."""

from typing import Any
from uuid import UUID

from rest_framework import serializers

from orchestration.engine.row_mapping import state_of
from orchestration.engine.selectors import StepProgress
from orchestration.models import SagaInstance, SagaLogEntry
from orchestration.operators.insight.current_step import current_step_of
from orchestration.operators.insight.redaction import redacted
from orchestration.operators.insight.saga_view import SagaView
from orchestration.operators.insight.status import SagaStatus, status_of
from orchestration.operators.representations.shape import ListPage, Shape, Time, time_of
from orchestration.participant.ledger import LedgerRow

STATUSES = [(status.value, status.value) for status in SagaStatus]


class SagaListed(Shape):
    """A saga of a list."""

    id = serializers.UUIDField()
    definition = serializers.CharField()
    status = serializers.ChoiceField(STATUSES)
    phase = serializers.CharField()
    parked = serializers.ListField(child=serializers.CharField(), help_text="Steps that wait for an operator.")
    step = serializers.CharField(allow_null=True, help_text="The step whose answer is pending next.")
    attempts = serializers.IntegerField()
    failure_code = serializers.CharField(allow_null=True)
    order_id = serializers.UUIDField(allow_null=True)
    customer_id = serializers.CharField()
    idempotency_key = serializers.CharField()
    created_at = Time()
    changed_at = Time()
    due_at = Time(allow_null=True)
    deadline_at = Time()
    ended_at = Time(allow_null=True)

    def get_status(self, saga: SagaInstance) -> str:
        return status_of(saga).value

    def get_parked(self, saga: SagaInstance) -> tuple[str, ...]:
        return current_step_of(saga).parked

    def get_step(self, saga: SagaInstance) -> str:
        return current_step_of(saga).step

    def get_attempts(self, saga: SagaInstance) -> int:
        return current_step_of(saga).attempts

    def get_failure_code(self, saga: SagaInstance) -> str | None:
        return (saga.failure or {}).get("code")


class SagaRow(SagaListed):
    """A saga of a list, with how its last try ended."""

    last_error = serializers.CharField(allow_null=True)


class SagaPage(ListPage):
    results = SagaRow(many=True)
    unread = serializers.ListField(
        child=serializers.CharField(), help_text="Services that could not be asked about `search`."
    )


class Counted(Shape):
    count = serializers.IntegerField(source="number")
    is_more = serializers.BooleanField(help_text="There are more than were counted.")


class SagaWhole(SagaListed):
    """A saga with all that is known of it."""

    version = serializers.IntegerField()
    token = serializers.IntegerField()
    in_flight = serializers.BooleanField()
    failure = serializers.JSONField(allow_null=True)
    dispatched_at = Time(allow_null=True)
    request = serializers.JSONField()
    answers = serializers.JSONField()
    waits_for = serializers.JSONField(
        allow_null=True,
        help_text="The saga that holds the lock that this one waits for, with resource, step and since.",
    )
    waiters = serializers.ListField(
        child=serializers.JSONField(), help_text="Sagas that wait for a lock of this one, with resource and since."
    )
    retry_of = serializers.UUIDField(
        allow_null=True, help_text="The saga whose work this one does again: it was given up to end a deadlock."
    )
    retried_by = serializers.UUIDField(allow_null=True, help_text="The saga that does the work of this one again.")
    steps = serializers.ListField(child=serializers.JSONField(), allow_null=True)
    ledgers = serializers.DictField(child=serializers.JSONField(allow_null=True))
    log = serializers.ListField(child=serializers.JSONField())

    @classmethod
    def of(cls, found: SagaView, **context: Any) -> dict[str, Any]:
        """Return the saga. `steps` is null if this code lacks the definition, a ledger if it cannot be read."""
        return super().of(found.instance, view=found, **context)

    def get_request(self, saga: SagaInstance) -> Any:
        return redacted(saga.request, definition=saga.definition)

    def get_answers(self, saga: SagaInstance) -> Any:
        return redacted(saga.answers, definition=saga.definition)

    def get_waits_for(self, saga: SagaInstance) -> dict[str, Any] | None:
        wait = state_of(saga).wait
        if wait is None:
            return None
        since = time_of(wait.since)
        return {"saga_id": str(wait.holder), "resource": wait.resource, "step": wait.step, "since": since}

    def get_waiters(self, _: SagaInstance) -> list[dict[str, Any]]:
        return [
            {**each._asdict(), "saga_id": str(each.saga_id), "since": time_of(each.since)}
            for each in self.context["view"].waiters
        ]

    def get_retried_by(self, _: SagaInstance) -> UUID | None:
        retried_by: UUID | None = self.context["view"].retried_by
        return retried_by

    def get_steps(self, _: SagaInstance) -> list[dict[str, Any]] | None:
        steps = self.context["view"].steps
        return None if steps is None else list(map(_step, steps))

    def get_ledgers(self, saga: SagaInstance) -> dict[str, list[dict[str, Any]] | None]:
        return {
            service: None if rows is None else [_ledger_row(row, saga.definition) for row in rows]
            for service, rows in self.context["view"].ledgers.items()
        }

    def get_log(self, _: SagaInstance) -> list[dict[str, Any]]:
        return list(map(_log_entry, self.context["view"].log))


class WhyShown(Shape):
    """Why a saga does not move."""

    sentence = serializers.CharField()
    cause = serializers.CharField()
    next = serializers.CharField(help_text="What happens next without an operator.")
    needs_a_person = serializers.BooleanField()
    step = serializers.CharField(allow_null=True)
    evidence = serializers.ListField(child=serializers.CharField())
    unread = serializers.ListField(child=serializers.CharField(), help_text="Sources that could not be asked.")


def _step(step: StepProgress) -> dict[str, Any]:
    return {
        "name": step.name,
        "service": step.service,
        "status": step.status,
        "since": time_of(step.since),
        "attempts": step.attempts,
        "last_error": step.last_error,
    }


def _ledger_row(row: LedgerRow, definition: str) -> dict[str, Any]:
    return {
        "step": row.step,
        "status": row.status,
        "history": row.history,
        "token": row.token,
        "answer": redacted(row.answer, definition=definition),
        "refusal": row.refusal,
        "request": redacted(row.request, definition=definition),
        "created_at": time_of(row.created_at),
        "changed_at": time_of(row.changed_at),
    }


def _log_entry(entry: SagaLogEntry) -> dict[str, Any]:
    return {
        "sequence": entry.sequence,
        "at": time_of(entry.at),
        "written_at": time_of(entry.written_at),
        "kind": entry.kind,
        "step": entry.step or None,
        "phase": entry.phase,
        "token": entry.token,
        "detail": entry.detail,
    }
