"""Breakers and the machinery log as JSON."""

from rest_framework import serializers

from orchestration.models.actions import MachineryAction, MachineryOutcome
from orchestration.operators.representations.shape import ListPage, Shape, Time

MACHINERY_ACTIONS = [(action.value, action.value) for action in MachineryAction]
MACHINERY_OUTCOMES = [(outcome.value, outcome.value) for outcome in MachineryOutcome]


class BreakerShown(Shape):
    """A circuit breaker."""

    name = serializers.CharField()
    service = serializers.CharField()
    state = serializers.ChoiceField(["closed", "open", "half-open"])
    failures = serializers.IntegerField(help_text="In a row.")
    next_probe = Time(allow_null=True, help_text="When a call is let through to see.")


class BreakerPage(Shape):
    results = BreakerShown(many=True)


class MachineryLogEntryShown(Shape):
    """What an operator did to a breaker or a dead letter, and the outcome."""

    id = serializers.IntegerField()
    action = serializers.ChoiceField(MACHINERY_ACTIONS)
    subject = serializers.CharField(help_text="A breaker's name; of a dead letter its queue and id.")
    wanted = serializers.JSONField()
    by = serializers.CharField()
    via = serializers.CharField()
    reason = serializers.CharField()
    before = serializers.JSONField()
    asked_at = Time()
    outcome = serializers.ChoiceField(
        MACHINERY_OUTCOMES,
        allow_null=True,
        help_text="Null while it has no end: the action is still running, or its process died before or after it.",
    )
    detail = serializers.CharField(allow_blank=True)
    after = serializers.JSONField(allow_null=True)
    ended_at = Time(allow_null=True)


class MachineryLogPage(ListPage):
    results = MachineryLogEntryShown(many=True)
