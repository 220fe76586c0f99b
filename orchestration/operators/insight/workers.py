"""Which workers answer, and which of our queues each consumes."""

from datetime import timedelta

from orchestration.messaging.worker_ping import ANSWERED_WITHIN, Present, present
from orchestration.operators.insight.sources import Unavailable, read


def workers(within: timedelta = ANSWERED_WITHIN) -> list[Present] | Unavailable:
    """Return every worker of ours that answers in time, by name. A silent one is frozen, gone, or very busy."""
    return read("RabbitMQ", lambda: present(within))
