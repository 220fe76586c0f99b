"""A saga definition and where it stands to a Celery chain: the only file that knows Celery's canvas."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from celery import Signature, chain, current_app
from celery.app.task import Context

from orchestration.saga import Saga
from orchestration.states import Bar, Command, Forward, Operation, Undo

CHAIN_COMPLETED = "orchestration.chain_completed"
STEP_REFUSED = "orchestration.step_refused"
STEP_FAILED = "orchestration.step_failed"
STEPS_UNDONE = "orchestration.steps_undone"
PIVOT_SETTLED = "orchestration.pivot_settled"


def chain_for(saga: Saga, command: Command, saga_id: UUID, token: int) -> Signature:
    """The chain that carries out a command; its last link reports to the orchestrator, and so does every failure.

    Call it with what the saga knows: {"known": facts, "trail": [[step, when], …]}; each link adds to it.
    """
    match command:
        case Forward(position):
            steps = [(step.action.name, step.name, Operation.ACTION) for step in saga.steps[position:]]
            end = CHAIN_COMPLETED
        case Undo(names):
            owed = [saga.by_name[name] for name in names]
            steps = [(step.compensation.name, step.name, Operation.COMPENSATION) for step in owed if step.compensation]
            end = STEPS_UNDONE
        case Bar():
            steps = [(bar_task(saga.pivot.action.service), saga.pivot.name, Operation.BAR)]
            end = PIVOT_SETTLED
    links = [_link(task, step, operation, saga_id, token) for task, step, operation in steps]
    return chain(*links, _report(end, saga_id, token))


def bar_task(service: str) -> str:
    """The name of the task that bars a step of this service."""
    return f"{service}.bar"


def divert_to_refusal(request: Context, saga_id: UUID, step: str, token: int, refusal: Mapping[str, Any]) -> None:
    """End the running task's chain: instead of the next step, the orchestrator hears of the refusal."""
    report = _report(STEP_REFUSED, saga_id, token)
    report["kwargs"] |= {"step": step, "refusal": dict(refusal)}
    request.chain = [report]  # type: ignore[assignment]


def halt(request: Context) -> None:
    """End the running task's chain: nothing follows."""
    request.chain = None


def inform_errbacks(request: Context, facts: Mapping[str, Any]) -> None:
    """Have the report of the running task's failure carry these facts."""
    for errback in request.errbacks or ():
        errback["kwargs"].update(facts)


def relay(task: str, queues: Iterable[str], last: str, kwargs: Mapping[str, Any]) -> Signature:
    """A chain of the same task through these queues, then `last`."""
    links = [current_app.signature(task, kwargs=dict(kwargs), immutable=True).set(queue=queue) for queue in queues]
    return chain(*links, current_app.signature(last, kwargs=dict(kwargs), immutable=True))


def _link(task: str, step: str, operation: Operation, saga_id: UUID, token: int) -> Signature:
    link = current_app.signature(task, kwargs={"saga_id": str(saga_id), "step": step, "token": token})
    errback = _report(STEP_FAILED, saga_id, token)
    errback["kwargs"] |= {"step": step, "operation": operation.value}
    return link.on_error(errback)


def _report(task: str, saga_id: UUID, token: int) -> Signature:
    return current_app.signature(task, kwargs={"saga_id": str(saga_id), "token": token})
