"""The project's Celery app, except that every message it publishes is published twice. Only tests start this app."""

from copy import deepcopy
from typing import Any

from config.celery import app
from orchestration.messages import SagaTask

__all__ = ["app"]

_once = SagaTask.apply_async


def _twice(self: SagaTask, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
    copied = deepcopy({name: value for name, value in options.items() if name != "producer"})
    _once(self, deepcopy(args), deepcopy(kwargs), **copied)
    return _once(self, args, kwargs, **options)


SagaTask.apply_async = _twice  # type: ignore[method-assign]
