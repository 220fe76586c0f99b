"""Batches as JSON: the preview, and the batch with its progress."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from orchestration.models import Batch, BatchMember
from orchestration.models.operators import BatchState
from orchestration.operators.actions.batch_pacing import Tally
from orchestration.operators.actions.batches import failures_of, tallies_of
from orchestration.operators.representations.actions import ACTIONS, PreviewShown, StatementShown
from orchestration.operators.representations.shape import ListPage, Shape, Time

MOST_FAILURES = 100
"""The most failures of a batch that are shown."""


class TallyShown(Shape):
    """Members by their outcome."""

    to_do = serializers.IntegerField()
    passed_over = serializers.IntegerField(help_text="Not what was asked for any more when their turn came.")
    refused = serializers.IntegerField()
    under_way = serializers.IntegerField()
    worked = serializers.IntegerField()
    failed = serializers.IntegerField()
    canary_open = serializers.IntegerField()


class FailureShown(Shape):
    saga_id = serializers.UUIDField()
    log_entry = serializers.IntegerField(allow_null=True)
    code = serializers.CharField(allow_blank=True)
    observed = serializers.CharField(allow_null=True)
    detail = serializers.CharField(allow_blank=True)

    def get_log_entry(self, member: BatchMember) -> int | None:
        return member.entry.pk if member.entry else None

    def get_code(self, member: BatchMember) -> str:
        return member.entry.code if member.entry else ""

    def get_observed(self, member: BatchMember) -> str | None:
        return member.entry.observed if member.entry else None

    def get_detail(self, member: BatchMember) -> str:
        entry = member.entry
        return (entry.observed_detail or entry.detail) if entry else member.detail


class BatchListed(Shape):
    """An action on many sagas, and how far it has come."""

    id = serializers.UUIDField()
    action = serializers.ChoiceField(ACTIONS)
    sagas = serializers.CharField(source="wanted_in_words", help_text="Which, in words.")
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
    chosen = serializers.IntegerField(source="members_chosen")
    tally = TallyShown()
    asked_at = Time()
    started_at = Time(allow_null=True)
    ended_at = Time(allow_null=True)

    @classmethod
    def of(cls, found: Batch, **context: Any) -> dict[str, Any]:
        """Return the batch with the tally of its members so far."""
        return cls.of_each([found], **context)[0]

    @classmethod
    def of_each(cls, found: Iterable[Batch], **context: Any) -> list[dict[str, Any]]:
        """Return the batches, each with the tally of its members so far. One query counts all members."""
        batches = list(found)
        return super().of_each(batches, tallies=tallies_of(batches), **context)

    def get_tally(self, batch: Batch) -> Tally:
        tally: Tally = self.context["tallies"][batch.pk]
        return tally


class BatchShown(BatchListed):
    """The same, and what failed."""

    failures = FailureShown(many=True, help_text="The first hundred.")

    def get_failures(self, batch: Batch) -> Iterable[BatchMember]:
        return failures_of(batch)[:MOST_FAILURES]


class BatchPage(ListPage):
    results = BatchListed(many=True)


@extend_schema_serializer(exclude_fields=("fingerprint",))
class BatchPreviewShown(Shape):
    """What a batch would do."""

    chosen = serializers.IntegerField()
    fingerprint = serializers.CharField()
    is_too_many = serializers.BooleanField()
    possible = serializers.IntegerField()
    why_not = serializers.DictField(child=serializers.IntegerField(), help_text="How many, by the reason.")
    money = serializers.ListField(child=serializers.CharField())
    examples = PreviewShown(many=True)
    needs_second_person = serializers.BooleanField()
