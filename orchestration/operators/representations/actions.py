"""Operators' actions as JSON: the preview, and the log entry."""

from rest_framework import serializers

from orchestration.models import OperatorLogEntry
from orchestration.models.actions import Code, OperatorAction
from orchestration.operators.representations.shape import ListPage, Shape, Time
from orchestration.participant.manual_outcome import ReportedOutcome

ACTIONS = [(action.value, action.value) for action in OperatorAction]
OUTCOMES = [(outcome.value, outcome.value) for outcome in ReportedOutcome]


class SkippedShown(Shape):
    step = serializers.CharField()
    why = serializers.CharField()


class PreviewShown(Shape):
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


class StatementShown(Shape):
    """The outcome of an external call, as an operator stated it."""

    outcome = serializers.ChoiceField(OUTCOMES)
    facts = serializers.DictField(child=serializers.CharField())


class LogEntryShown(Shape):
    """What an operator did, and the outcome."""

    id = serializers.IntegerField()
    saga_id = serializers.UUIDField()
    action = serializers.ChoiceField(ACTIONS)
    step = serializers.CharField(allow_null=True)
    by = serializers.CharField()
    via = serializers.CharField()
    at = Time()
    reason = serializers.CharField()
    statement = StatementShown(allow_null=True)
    evidence = serializers.CharField(allow_null=True)
    code = serializers.ChoiceField([code.value for code in Code])
    detail = serializers.CharField(allow_blank=True)
    before = serializers.JSONField()
    after = serializers.JSONField()
    observed = serializers.CharField(allow_null=True, help_text="The observed outcome; null while it is unknown.")
    observed_detail = serializers.CharField(allow_blank=True)
    observed_at = Time(allow_null=True)
    batch_id = serializers.UUIDField(allow_null=True)

    def get_observed(self, entry: OperatorLogEntry) -> str | None:
        return entry.observed if entry.observed_at else None


class LogPage(ListPage):
    results = LogEntryShown(many=True)
