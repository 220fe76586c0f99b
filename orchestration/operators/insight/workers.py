"""The workers that answer a ping, and the queues that each consumes."""

from datetime import timedelta

from orchestration.messaging.worker_ping import ANSWERED_WITHIN, Present, present
from orchestration.operators.insight.sources import Unavailable, read


def workers(within: timedelta = ANSWERED_WITHIN) -> list[Present] | Unavailable:
    """Return our workers that answer in time, by name. A worker that does not answer is frozen, gone or very busy."""
    return read("RabbitMQ", lambda: present(within))
