"""Locks as JSON."""

from rest_framework import serializers

from orchestration.operators.insight.locks import LockState
from orchestration.operators.representations.shape import Shape, Time


class LockTurnShown(Shape):
    """A saga that waits for a lock."""

    saga_id = serializers.UUIDField()
    step = serializers.CharField()
    since = Time()


class LockShown(Shape):
    """A lock that a saga holds, and the sagas that wait for it, the next first."""

    resource = serializers.CharField(help_text="The lock's name, a colon and the value, such as `order:0198…`.")
    service = serializers.CharField()
    saga_id = serializers.UUIDField(source="holder", help_text="The saga that holds it.")
    definition = serializers.CharField(allow_null=True, help_text="Null if there is no such saga.")
    status = serializers.CharField(allow_null=True, help_text="Of that saga.")
    step = serializers.CharField(help_text="The step that took the lock.")
    current_step = serializers.CharField(help_text="The step at which the saga is now. Empty if there is none.")
    last_error = serializers.CharField(help_text="The saga's newest error. Empty if there is none.")
    since = Time()
    fence = serializers.IntegerField(help_text="The fencing token of the lock.")
    turns = LockTurnShown(many=True)

    def get_definition(self, lock: LockState) -> str | None:
        return lock.saga.definition if lock.saga else None

    def get_turns(self, lock: LockState) -> list[dict[str, object]]:
        return [{"saga_id": turn.saga_id, "step": turn.step, "since": turn.since} for turn in lock.turns]


class LockPage(Shape):
    results = LockShown(many=True)
    unavailable = serializers.ListField(
        child=serializers.CharField(), help_text="The services whose locks could not be read, and why."
    )


class LockBreakShown(Shape):
    """A request to break a lock."""

    resource = serializers.CharField()
    service = serializers.CharField()
    saga_id = serializers.UUIDField(source="holder", help_text="The saga from which the lock is taken.")
    reason = serializers.CharField()
    evidence = serializers.CharField()
    asked_by = serializers.CharField()
    asked_at = Time(allow_null=True)
    approved_by = serializers.CharField(allow_null=True, help_text="Null while it waits for a second person.")
    approved_at = Time(allow_null=True)
