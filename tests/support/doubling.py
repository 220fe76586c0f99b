"""The project's Celery app, except that every letter it posts is posted twice. Only tests start this app."""

from collections.abc import Sequence

from config.celery import app
from orchestration.messaging import publisher as post_office
from orchestration.messaging.publisher import Letter

__all__ = ["app"]

_once = post_office._delivered


def _twice(letters: Sequence[Letter]) -> None:
    _once(letters)
    _once(letters)


post_office._delivered = _twice
