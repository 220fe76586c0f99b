"""The result backend: failed tasks are recorded if their database and the broker can be reached."""

import logging
from typing import Any

from amqp.exceptions import AMQPError
from django.db import Error
from django_celery_results.backends import DatabaseBackend
from kombu.exceptions import OperationalError

from orchestration.text.card_numbers import without_card_numbers
from orchestration.text.cleaning import harmless_lines, harmless_text, text_of

logger = logging.getLogger(__name__)


class Results(DatabaseBackend):  # type: ignore[misc]
    """django-celery-results, except that a failure which cannot be recorded or reported is only logged.

    An error raised here would end in a pool thread where it is never handled: the message would be neither acked nor
    requeued, and a few of them would fill the prefetch window and stop the worker (Celery 5.7, `apply_target`). Nothing
    is lost without the record: for the saga, the report of a failure is only a hint.
    """

    def store_result(
        self, task_id: str, result: Any, state: str, traceback: str | None = None, request: Any = None, **options: Any
    ) -> Any:
        cleaned = None if traceback is None else harmless_lines(without_card_numbers(str(traceback)))
        try:
            return super().store_result(task_id, result, state, cleaned, request, **options)
        except Error as error:
            logger.error("task %s: its result, %s, could not be stored: %s", task_id, state, error)
            return result

    def prepare_exception(self, exc: BaseException, serializer: str | None = None) -> Any:
        """Store the error's arguments as texts without card numbers, as in logs: they may quote a request."""
        cleaned = super().prepare_exception(exc, serializer)
        return {**cleaned, "exc_message": list(map(_cleaned, exc.args))}

    def _call_task_errbacks(self, request: Any, exc: Exception, traceback: str | None) -> None:
        try:
            super()._call_task_errbacks(request, exc, traceback)
        except (OperationalError, AMQPError, OSError) as error:
            logger.error("task %s: its failure could not be reported: %s", request.id, error)


def _cleaned(argument: object) -> str:
    """Search the text before escaping it: an escape between two digits would hide a card number."""
    return harmless_text(without_card_numbers(argument if isinstance(argument, str) else text_of(argument)))
