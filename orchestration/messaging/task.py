"""What every message of ours has in common: who may lose it (nobody), and what it shows of itself (ids)."""

from functools import partial
from typing import Any
from uuid import UUID

from amqp.exceptions import AMQPError
from celery import Task
from kombu.exceptions import OperationalError

from orchestration.failpoints import FailpointKind, cross


class SagaTask(Task):  # type: ignore[misc]
    """A task whose message is confirmed, must be routed, is acked late, and whose success leaves no row."""

    abstract = True
    acks_late = True
    reject_on_worker_lost = True
    ignore_result = True
    store_errors_even_if_ignored = True
    mandatory = True
    max_retries = 0  # retries have one owner, the saga
    Request = "orchestration.messaging.request:SagaRequest"
    resultrepr_maxsize = 1  # what a step returns is what the saga knows: nothing for logs and events

    def apply_async(  # type: ignore[override]
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> Any:
        """Publish.

        :raises OperationalError: when the broker did not confirm it, or could not route it; it may still arrive.
        """
        options.setdefault("argsrepr", "()")  # what a saga knows is nothing for logs, events or result rows
        options.setdefault("kwargsrepr", repr(public(kwargs)))
        publish = partial(super().apply_async, args, kwargs, **options)
        try:
            return cross(FailpointKind.PUBLISH, self.name, sagas_of(kwargs), publish)
        except (AMQPError, TimeoutError) as error:
            raise OperationalError(f"not published: {error}") from error


def public(kwargs: Any) -> dict[str, Any]:
    """What a message shows of itself in logs and events: ids."""
    shown = ("saga_id", "step", "operation", "token", "route")
    return {name: kwargs[name] for name in shown if name in (kwargs or {})}


def sagas_of(kwargs: Any) -> list[UUID]:
    """The saga that a message is about, if it names one."""
    try:
        return [UUID(kwargs["saga_id"])]
    except (KeyError, TypeError, ValueError, AttributeError):
        return []
