"""The shop's figures as JSON: seconds, and shares from 0 to 1."""

from rest_framework import serializers

from orchestration.operators.insight.overview import Figures
from orchestration.operators.insight.sources import Unavailable
from orchestration.operators.insight.stats import Stats
from orchestration.operators.representations.sagas import Counted
from orchestration.operators.representations.shape import Shape


class DurationsShown(Shape):
    """Percentiles in seconds."""

    count = serializers.IntegerField()
    p50 = serializers.FloatField(allow_null=True)
    p95 = serializers.FloatField(allow_null=True)
    p99 = serializers.FloatField(allow_null=True)


class StepStatsShown(Shape):
    step = serializers.CharField()
    durations = DurationsShown()
    share = serializers.FloatField(help_text="Of all time spent, from 0 to 1.")


class StatsShown(Shape):
    window_s = serializers.FloatField()
    in_flight = Counted()
    started_per_minute = serializers.FloatField()
    ended_per_minute = serializers.FloatField()
    success = serializers.FloatField(allow_null=True, help_text="The share of those ended that completed.")
    end_to_end = DurationsShown()
    steps = StepStatsShown(many=True)

    def get_window_s(self, found: Stats) -> float:
        return found.window.total_seconds()


class QueueShown(Shape):
    name = serializers.CharField()
    messages = serializers.IntegerField(allow_null=True, help_text="Null: there is no such queue.")
    consumers = serializers.IntegerField(allow_null=True, help_text="Null: the broker does not tell.")


class BottleneckShown(Shape):
    what = serializers.CharField()
    rule = serializers.CharField(help_text="How that was found.")


class FiguresShown(Shape):
    """The shop's figures; null is what could not be read, or does not stand out."""

    stats = StatsShown(allow_null=True)
    presets = serializers.DictField(child=Counted())
    queues = QueueShown(many=True)
    bottleneck = BottleneckShown(allow_null=True)
    unread = serializers.ListField(child=serializers.CharField())

    def get_stats(self, found: Figures) -> Stats | None:
        return None if isinstance(found.stats, Unavailable) else found.stats
