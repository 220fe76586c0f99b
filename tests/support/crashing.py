"""The project's Celery app with one crash point: the worker kills itself with SIGKILL the n-th time it gets there.

`CRASH_AT` is "<point> <task> <n>"; the points are functions of this module. Only tests start this app.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable
from typing import Any

from celery import current_task, signals

from config.celery import app

__all__ = ["app"]

POINT, TASK, NTH = os.environ["CRASH_AT"].split()

_reached: Counter[tuple[str, str]] = Counter()


def reach(point: str, task: str) -> None:
    """Die if this is where and when."""
    _reached[point, task] += 1
    if (point, task, _reached[point, task]) == (POINT, TASK, int(NTH)):
        os.kill(os.getpid(), signal.SIGKILL)


def before_commit(once: Callable[..., Any]) -> Callable[..., Any]:
    """A participant's transaction has done its work."""

    def crashing(alias: str, work: Callable[[], Any]) -> Any:
        def work_then_crash() -> Any:
            result = work()
            reach("before_commit", current_task.name)
            return result

        return once(alias, work_then_crash)

    return crashing


def after_commit(once: Callable[..., Any]) -> Callable[..., Any]:
    """A participant's transaction is committed; nothing is published yet."""

    def crashing(alias: str, work: Callable[[], Any]) -> Any:
        result = once(alias, work)
        reach("after_commit", current_task.name)
        return result

    return crashing


def after_claim(claim: Callable[..., bool]) -> Callable[..., bool]:
    """A step outside is committed as started; gateway and carrier have not heard of it."""

    def crashing(*args: Any) -> bool:
        claimed = claim(*args)
        reach("after_claim", current_task.name)
        return claimed

    return crashing


def before_dispatch(send: Callable[..., Any]) -> Callable[..., Any]:
    """The orchestrator has committed a decision, and has not sent what follows from it."""

    def crashing(*args: Any) -> Any:
        if current_task:
            reach("before_dispatch", current_task.name)
        return send(*args)

    return crashing


def after_decision(apply: Callable[..., Any]) -> Callable[..., Any]:
    """The orchestrator has committed a decision, and has sent what follows; the report is not acked."""

    def crashing(*args: Any) -> Any:
        result = apply(*args)
        if current_task:
            reach("after_decision", current_task.name)
        return result

    return crashing


@signals.task_postrun.connect
def after_publish(task: Any, **_: Any) -> None:
    """The next message is published; this one is not acked."""
    reach("after_publish", task.name)


@signals.worker_init.connect
def lay_points(**_: Any) -> None:
    """Wrap what the points are about, now that Django is set up."""
    from orchestration import dispatch, engine
    from orchestration.participant import outside_handler, transactions

    outside_handler._claim = after_claim(outside_handler._claim)
    transactions._in_transaction = after_commit(before_commit(transactions._in_transaction))
    dispatch.send = before_dispatch(dispatch.send)
    engine._apply_once = after_decision(engine._apply_once)
