"""Shapes of the answers of the operators' resources, for the OpenAPI document."""

from typing import Any

from rest_framework import serializers

from orchestration.models.actions import Action, Code, MachineryAction, MachineryOutcome
from orchestration.models.operators import BatchState
from orchestration.operators.insight.status import Status
from orchestration.participant.manual_outcome import Outcome

STATUSES = [(status.value, status.value) for status in Status]
ACTIONS = [(action.value, action.value) for action in Action]
OUTCOMES = [(outcome.value, outcome.value) for outcome in Outcome]
MACHINERY_ACTIONS = [(action.value, action.value) for action in MachineryAction]
MACHINERY_OUTCOMES = [(outcome.value, outcome.value) for outcome in MachineryOutcome]


class SagaListed(serializers.Serializer[Any]):
    """A saga of a list."""

    id = serializers.UUIDField()
    definition = serializers.CharField()
    status = serializers.ChoiceField(STATUSES)
    phase = serializers.CharField()
    parked = serializers.ListField(child=serializers.CharField(), help_text="Steps that wait for an operator.")
    step = serializers.CharField(allow_null=True, help_text="Whose answer is owed next.")
    attempts = serializers.IntegerField()
    failure_code = serializers.CharField(allow_null=True)
    order_id = serializers.UUIDField(allow_null=True)
    customer_id = serializers.CharField()
    idempotency_key = serializers.CharField()
    created_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(allow_null=True)
    deadline_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class SagaRow(SagaListed):
    """A saga of a list, with how its last try ended."""

    last_error = serializers.CharField(allow_null=True)


class Page(serializers.Serializer[Any]):
    """A part of a list."""

    next = serializers.CharField(allow_null=True, help_text="The address of the next page.")


class SagaPage(Page):
    results = SagaRow(many=True)
    unread = serializers.ListField(
        child=serializers.CharField(), help_text="Services that could not be asked about `search`."
    )


class Counted(serializers.Serializer[Any]):
    count = serializers.IntegerField()
    is_more = serializers.BooleanField(help_text="There are more than were counted.")


class SagaWhole(SagaListed):
    """A saga with all that is known of it."""

    version = serializers.IntegerField()
    token = serializers.IntegerField()
    in_flight = serializers.BooleanField()
    failure = serializers.JSONField(allow_null=True)
    dispatched_at = serializers.DateTimeField(allow_null=True)
    request = serializers.JSONField()
    answers = serializers.JSONField()
    steps = serializers.ListField(child=serializers.JSONField(), allow_null=True)
    ledgers = serializers.DictField(child=serializers.JSONField(allow_null=True))
    log = serializers.ListField(child=serializers.JSONField())


class WhyShown(serializers.Serializer[Any]):
    """Why a saga does not move."""

    sentence = serializers.CharField()
    cause = serializers.CharField()
    next = serializers.CharField(help_text="What happens next without an operator.")
    needs_a_person = serializers.BooleanField()
    step = serializers.CharField(allow_null=True)
    evidence = serializers.ListField(child=serializers.CharField())
    unread = serializers.ListField(child=serializers.CharField(), help_text="Sources that could not be asked.")


class SkippedShown(serializers.Serializer[Any]):
    step = serializers.CharField()
    why = serializers.CharField()


class PreviewShown(serializers.Serializer[Any]):
    """What an action would do."""

    saga_id = serializers.UUIDField()
    possible = serializers.BooleanField()
    code = serializers.ChoiceField([code.value for code in Code])
    why_not = serializers.CharField(allow_blank=True)
    will = serializers.ListField(child=serializers.CharField())
    skipped = SkippedShown(many=True)
    money = serializers.ListField(child=serializers.CharField())
    version = serializers.IntegerField()
    facts_wanted = serializers.CharField(allow_blank=True)


class StatementShown(serializers.Serializer[Any]):
    """What somebody says became of a call outside."""

    outcome = serializers.ChoiceField(OUTCOMES)
    facts = serializers.DictField(child=serializers.CharField())


class LogEntryShown(serializers.Serializer[Any]):
    """What an operator did, and what came of it."""

    id = serializers.IntegerField()
    saga_id = serializers.UUIDField()
    action = serializers.ChoiceField(ACTIONS)
    step = serializers.CharField(allow_null=True)
    by = serializers.CharField()
    via = serializers.CharField()
    at = serializers.DateTimeField()
    reason = serializers.CharField()
    statement = StatementShown(allow_null=True)
    evidence = serializers.CharField(allow_null=True)
    code = serializers.ChoiceField([code.value for code in Code])
    detail = serializers.CharField(allow_blank=True)
    before = serializers.JSONField()
    after = serializers.JSONField()
    observed = serializers.CharField(allow_null=True, help_text="The observed outcome; null while it is unknown.")
    observed_detail = serializers.CharField(allow_blank=True)
    observed_at = serializers.DateTimeField(allow_null=True)
    batch_id = serializers.UUIDField(allow_null=True)


class LogPage(Page):
    results = LogEntryShown(many=True)


class BreakerShown(serializers.Serializer[Any]):
    """A circuit breaker."""

    name = serializers.CharField()
    service = serializers.CharField()
    state = serializers.ChoiceField(["closed", "open", "half-open"])
    failures = serializers.IntegerField(help_text="In a row.")
    next_probe = serializers.DateTimeField(allow_null=True, help_text="When a call is let through to see.")


class BreakerPage(serializers.Serializer[Any]):
    results = BreakerShown(many=True)


class MachineryLogEntryShown(serializers.Serializer[Any]):
    """What an operator did to a breaker or a dead letter, and what came of it."""

    id = serializers.IntegerField()
    action = serializers.ChoiceField(MACHINERY_ACTIONS)
    subject = serializers.CharField(help_text="A breaker's name; of a dead letter its queue and id.")
    wanted = serializers.JSONField()
    by = serializers.CharField()
    via = serializers.CharField()
    reason = serializers.CharField()
    before = serializers.JSONField()
    asked_at = serializers.DateTimeField()
    outcome = serializers.ChoiceField(
        MACHINERY_OUTCOMES,
        allow_null=True,
        help_text="Null while it has no end: the action is still running, or its process died before or after it.",
    )
    detail = serializers.CharField(allow_blank=True)
    after = serializers.JSONField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class MachineryLogPage(Page):
    results = MachineryLogEntryShown(many=True)


class DurationsShown(serializers.Serializer[Any]):
    """Percentiles in seconds."""

    count = serializers.IntegerField()
    p50 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)
    p99 = serializers.FloatField(allow_null=True)


class StepStatsShown(serializers.Serializer[Any]):
    step = serializers.CharField()
    durations = DurationsShown()
    share = serializers.FloatField(help_text="Of all time spent, from 0 to 1.")


class StatsShown(serializers.Serializer[Any]):
    window_s = serializers.FloatField()
    in_flight = Counted()
    started_per_minute = serializers.FloatField()
    ended_per_minute = serializers.FloatField()
    success = serializers.FloatField(allow_null=True, help_text="The share of those ended that completed.")
    end_to_end = DurationsShown()
    steps = StepStatsShown(many=True)


class QueueShown(serializers.Serializer[Any]):
    name = serializers.CharField()
    messages = serializers.IntegerField(allow_null=True, help_text="Null: there is no such queue.")
    consumers = serializers.IntegerField(allow_null=True, help_text="Null: the broker does not tell.")


class BottleneckShown(serializers.Serializer[Any]):
    what = serializers.CharField()
    rule = serializers.CharField(help_text="How that was found.")


class FiguresShown(serializers.Serializer[Any]):
    """The shop's figures; null is what could not be read, or does not stand out."""

    stats = StatsShown(allow_null=True)
    presets = serializers.DictField(child=Counted())
    queues = QueueShown(many=True)
    bottleneck = BottleneckShown(allow_null=True)
    unread = serializers.ListField(child=serializers.CharField())


class TallyShown(serializers.Serializer[Any]):
    """Members by what became of them."""

    to_do = serializers.IntegerField()
    passed_over = serializers.IntegerField(help_text="Not what was asked for any more when their turn came.")
    refused = serializers.IntegerField()
    under_way = serializers.IntegerField()
    worked = serializers.IntegerField()
    failed = serializers.IntegerField()
    canary_open = serializers.IntegerField()


class FailureShown(serializers.Serializer[Any]):
    saga_id = serializers.UUIDField()
    log_entry = serializers.IntegerField(allow_null=True)
    code = serializers.CharField(allow_blank=True)
    observed = serializers.CharField(allow_null=True)
    detail = serializers.CharField(allow_blank=True)


class BatchListed(serializers.Serializer[Any]):
    """An action on many sagas, and how far it has come."""

    id = serializers.UUIDField()
    action = serializers.ChoiceField(ACTIONS)
    sagas = serializers.CharField(help_text="Which, in words.")
    step = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(BatchState.choices)
    by = serializers.CharField()
    reason = serializers.CharField()
    statement = StatementShown(allow_null=True)
    evidence = serializers.CharField(allow_null=True)
    approved_by = serializers.CharField(allow_null=True)
    stopped_by = serializers.CharField(allow_null=True)
    stopped_why = serializers.CharField(allow_null=True)
    canary = serializers.IntegerField()
    per_second = serializers.FloatField()
    stop_above_percent = serializers.FloatField()
    chosen = serializers.IntegerField()
    tally = TallyShown()
    asked_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class BatchShown(BatchListed):
    """The same, and what failed."""

    failures = FailureShown(many=True, help_text="The first hundred.")


class BatchPage(Page):
    results = BatchListed(many=True)


class BatchPreviewShown(serializers.Serializer[Any]):
    """What a batch would do."""

    chosen = serializers.IntegerField()
    is_too_many = serializers.BooleanField()
    possible = serializers.IntegerField()
    why_not = serializers.DictField(child=serializers.IntegerField(), help_text="How many, by the reason.")
    money = serializers.ListField(child=serializers.CharField())
    examples = PreviewShown(many=True)
    needs_second_person = serializers.BooleanField()
