"""The project's Celery app, except that every message it posts is posted twice. Only tests start this app."""

from collections.abc import Sequence

from config.celery import app
from orchestration.messaging import publisher
from orchestration.messaging.publisher import Message

__all__ = ["app"]

_once = publisher._delivered


def _twice(messages: Sequence[Message]) -> None:
    _once(messages)
    _once(messages)


publisher._delivered = _twice
