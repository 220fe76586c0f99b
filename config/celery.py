"""The Celery app, and the worker's manners at its edges."""

import logging
import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging
from celery.worker import consumer

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

logger = logging.getLogger(__name__)

app = Celery("config", set_as_current=True)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect  # type: ignore[untyped-decorator]
def leave_logging_alone(**_: Any) -> None:
    """Log as `settings.LOGGING` says: a receiver here keeps Celery from setting up its own."""


class Consumer(consumer.Consumer):  # type: ignore[misc]
    """Celery's consumer, which makes the queues on each connection and dead-letters what it cannot read."""

    def connect(self) -> Any:
        from django.conf import settings

        connection = super().connect()
        settings.TOPOLOGY.declare(connection)
        return connection

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        logger.critical("a message cannot be decoded and is dead-lettered: %s", exc)
        message.reject()
