"""The Celery app, and this project's changes to Celery's consumer."""

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

from celery import Celery
from celery.platforms import EX_FAILURE
from celery.signals import setup_logging
from celery.worker import consumer

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

logger = logging.getLogger(__name__)

app = Celery("config", set_as_current=True, control="config.control:Control")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect  # type: ignore[untyped-decorator]
def leave_logging_alone(**_: Any) -> None:
    """Keep Celery from setting up its own logging: `settings.LOGGING` applies. A receiver of this signal is enough."""


class Consumer(consumer.Consumer):  # type: ignore[misc]
    """Celery's consumer, which declares the queues on each connection and dead-letters unreadable messages.

    It does not declare Celery's delay queues, whose names get no prefix, because no task here is delayed.
    """

    class Blueprint(consumer.Consumer.Blueprint):  # type: ignore[misc, valid-type]
        default_steps = tuple(
            step for step in consumer.Consumer.Blueprint.default_steps if not step.endswith(":DelayedDelivery")
        )

    def connect(self) -> Any:
        from django.conf import settings

        connection = super().connect()
        # Celery then has a prefetch window for each queue. A window for all queues would fill with messages that wait
        # for a slow gateway, and it costs RabbitMQ more for each message.
        connection.transport.qos_semantics_matches_spec = lambda _: True  # type: ignore[method-assign, assignment]
        self._refuse_wrong_queues(settings.TOPOLOGY.declare(connection))
        if settings.BROKER_HAS_CONFIRMS:
            self._read_ahead(connection.connection)
        return connection

    def _refuse_wrong_queues(self, differing: Mapping[str, str]) -> None:
        """Ignore other workers' queues that differ. :raises SystemExit: when a queue of this worker differs."""
        for name, difference in differing.items():
            logger.error("%s at the broker is not as described: %s", name, difference)
        if own := sorted(differing.keys() & set(self.app.amqp.queues.consume_from)):
            logger.critical("this worker consumes %s, and ends: see manage.py ready", ", ".join(own))
            sys.exit(EX_FAILURE)

    def _read_ahead(self, link: Any) -> None:
        from orchestration.messaging import amqp_io

        amqp_io.read_ahead(link)
        self._link = link
        if hub := getattr(self, "hub", None):
            hub.add_reader(link.sock, amqp_io.drain, link)
            hub.on_tick.add(self._drain_rest)

    def _drain_rest(self) -> None:
        """Read messages that arrived together with a reply another thread waited for: the socket
        does not signal them again.
        """
        from orchestration.messaging import amqp_io

        if amqp_io.has_more(self._link):
            amqp_io.drain(self._link)

    def connection_for_write(self, url: str | None = None, heartbeat: float | None = None) -> Any:
        """Make the connection for Celery's events, which may be lost.

        It has no confirms: the event loop also reads from it, and would take a confirm that a thread of the pool waits
        for.
        """
        from django.conf import settings

        from orchestration.messaging.publisher import without_confirms

        options = without_confirms("shop events") if settings.BROKER_HAS_CONFIRMS else None
        return self.ensure_connected(
            self.app.connection_for_write(url=url, heartbeat=heartbeat, transport_options=options)
        )

    def create_task_handler(self, *args: Any, **options: Any) -> Any:
        """Return the function that takes each message. It dead-letters a message whose task or id is no text.

        Celery looks both up in dicts. The TypeError would end this worker, and then the next one that gets the message.
        """
        take = super().create_task_handler(*args, **options)

        def take_or_dead_letter(message: Any) -> None:
            headers = message.headers or {}
            if isinstance(headers.get("task"), str) and isinstance(headers.get("id"), str):
                take(message)
            else:
                self._dead_letter(message, "no task's message")

        return take_or_dead_letter

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        self._dead_letter(message, "cannot be decoded")

    def on_unknown_message(self, body: Any, message: Any) -> None:
        self._dead_letter(message, "no task's message")

    def on_unknown_task(self, body: Any, message: Any, exc: Exception) -> None:
        self._dead_letter(message, "unregistered task")

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        self._dead_letter(message, f"invalid, {type(exc).__name__}")

    def _dead_letter(self, message: Any, why: str) -> None:
        """Log the message without its body and reject it. Celery would log the body, which holds the saga's context."""
        headers = message.headers or {}
        logger.error("a message is dead-lettered: %s (task %s, id %s)", why, headers.get("task"), headers.get("id"))
        message.reject_log_error(logger, self.connection_errors)  # type: ignore[attr-defined]
