"""The project's Celery app, except that it publishes every message twice. Only tests start this app."""

from collections.abc import Sequence

from config.celery import app
from orchestration.messaging import publisher
from orchestration.messaging.canvas import Message

__all__ = ["app"]

_publish_once = publisher._deliver


def _publish_twice(messages: Sequence[Message]) -> None:
    _publish_once(messages)
    _publish_once(messages)


publisher._deliver = _publish_twice
