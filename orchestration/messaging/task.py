"""The base of our Celery tasks. Their messages must not get lost, and logs show only their ids."""

from functools import partial
from typing import Any
from uuid import UUID

from amqp.exceptions import AMQPError
from celery import Task
from kombu.exceptions import OperationalError

from orchestration.failpoints import FailpointKind, cross


class SagaTask(Task):  # type: ignore[misc]
    """A task whose message is confirmed, routed and acknowledged late. A success leaves no result row."""

    abstract = True
    acks_late = True
    reject_on_worker_lost = True
    ignore_result = True
    store_errors_even_if_ignored = True
    mandatory = True
    max_retries = 0  # retries have one owner, the saga
    Request = "orchestration.messaging.request:SagaRequest"
    resultrepr_maxsize = 1  # logs and events must not show what a step returns

    def apply_async(  # type: ignore[override]
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> Any:
        """Publish the task's message.

        :raises OperationalError: when the broker did not confirm or could not route it. It may still arrive.
        """
        options.setdefault("argsrepr", "()")  # logs, events and result rows must not show what a saga knows
        options.setdefault("kwargsrepr", repr(public(kwargs)))
        publish = partial(super().apply_async, args, kwargs, **options)
        try:
            return cross(FailpointKind.PUBLISH, self.name, sagas_of(kwargs), publish)
        except (AMQPError, TimeoutError) as error:
            raise OperationalError(f"not published: {error}") from error


def public(kwargs: Any) -> dict[str, Any]:
    """Return the arguments that logs and events may show: ids."""
    shown = ("saga_id", "step", "operation", "token", "route")
    return {name: kwargs[name] for name in shown if name in (kwargs or {})}


def sagas_of(kwargs: Any) -> list[UUID]:
    """Return the saga that a message names, if it names one."""
    try:
        return [UUID(kwargs["saga_id"])]
    except (KeyError, TypeError, ValueError, AttributeError):
        return []
