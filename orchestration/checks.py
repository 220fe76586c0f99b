"""Checks of `manage.py check`: each saga definition against the whole process."""

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.checks import WARNING, CheckMessage, Error, register

from orchestration import sagas
from orchestration.contracts.command import Action, Compensation
from orchestration.messaging import routing
from orchestration.messaging.task import SagaTask
from orchestration.participant.external import ExternalCommand
from orchestration.participant.participant import NotAParticipant, Participant, participant_of, participants
from orchestration.protocol import itinerary
from orchestration.protocol.lock_checks import opposite_orders
from orchestration.protocol.saga import Saga
from orchestration.sagas import definitions


@register
def check_definitions(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Check that every command of every definition has a participant, and a task that is routed and acked late."""
    return [error for saga in definitions.values() for error in _saga_errors(saga)]


@register
def check_registrations(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Check that `definitions` holds every definition of the modules of `orchestration/sagas`, under its own name."""
    return list(_registration_errors(_definitions_in(sagas), definitions))


@register
def check_timeouts(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Check that an external call times out before recovery presumes that its message was lost."""
    if settings.SANDBOX_TIMEOUT < settings.PRESUMED_LOST_AFTER:
        return []
    hint = "Lower SHOP_SANDBOX_TIMEOUT_SECONDS or raise SHOP_PRESUMED_LOST_SECONDS."
    return [Error("A call outside may take longer than a message is waited for.", hint=hint, id="sagas.E005")]


@register
def check_key_lifetimes(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Check that idempotency keys of external calls outlive the saga's deadline, plus a margin for an operator."""
    return [error for saga in definitions.values() for error in _lifetime_errors(saga)]


@register
def check_lock_orders(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Warn of two definitions that take two locks in opposite orders: their sagas may wait for each other."""
    orders = {
        name: [step.action.holds.name for step in saga.steps if step.action.holds] for name, saga in definitions.items()
    }
    hint = "Take locks in the order that docs/protocol.md gives. One of two sagas in a deadlock is undone."
    return [
        CheckMessage(
            WARNING, f"{one} takes the lock {first} before {second}, {other} after it.", hint=hint, id="sagas.W011"
        )
        for one, other, first, second in opposite_orders(orders)
    ]


@register
def check_lock_tables(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Check that every service has the tables of the locks that its actions take, release or act under."""
    return [error for participant in participants().values() for error in _lock_table_errors(participant)]


def _definitions_in(package: ModuleType) -> Iterator[tuple[str, Saga]]:
    """Yield (module name, definition) for every definition in the package's modules."""
    for found in iter_modules(package.__path__, f"{package.__name__}."):
        module = import_module(found.name)
        yield from ((found.name, each) for each in vars(module).values() if isinstance(each, Saga))


def _registration_errors(found: Iterable[tuple[str, Saga]], registered: Mapping[str, Saga]) -> Iterator[CheckMessage]:
    for name, saga in registered.items():
        if saga.name != name:
            yield Error(f"{saga.name} is registered as {name}.", id="sagas.E008")
    for module, saga in found:
        if saga.name not in registered:
            hint = "Add it to `definitions` in orchestration/sagas/__init__.py, or no saga of it can be started."
            yield Error(f"{module}: {saga.name} is not registered.", hint=hint, id="sagas.E008")
        elif registered[saga.name] != saga:
            yield Error(f"{module}: another definition is registered as {saga.name}.", id="sagas.E008")


def _saga_errors(saga: Saga) -> Iterator[CheckMessage]:
    for step in saga.steps:
        yield from _command_errors(saga, step.action)
        if step.compensation is not None:
            yield from _command_errors(saga, step.compensation)
    yield from _task_errors(saga, itinerary.bar_task(saga.pivot.action.service))
    yield from _pivot_errors(saga)
    yield from _external_errors(saga)


def _pivot_errors(saga: Saga) -> Iterator[CheckMessage]:
    """Complain about an external pivot: its ledger row, the commit record, must be in the transaction of its effect."""
    try:
        work = participant_of(saga.pivot.action.service).commands.get(saga.pivot.action)
    except NotAParticipant:
        return
    if isinstance(work, ExternalCommand):
        yield Error(f"{saga.name}: the pivot {saga.pivot.name} is carried out outside.", id="sagas.E006")


def _external_errors(saga: Saga) -> Iterator[CheckMessage]:
    """Complain about contracts that do not say where a step is carried out: victims of deadlocks are chosen by it."""
    for step in saga.compensable:
        work = _work_of(step.action)
        if work is not None and step.action.external != isinstance(work, ExternalCommand):
            where = "outside" if isinstance(work, ExternalCommand) else "in its service's database"
            message = (
                f"{saga.name}: {step.name} is carried out {where}, its contract says external={step.action.external}."
            )
            yield Error(message, hint="Set `external` of the action to what its service does.", id="sagas.E012")


def _lock_table_errors(participant: Participant) -> Iterator[CheckMessage]:
    tables, hint = participant.locks, "Give the `Participant` `locks=LockTables(guard=…, hold=…, turn=…)`."
    for action in participant.commands:
        if isinstance(action, Compensation) or participant.kept_in is not None:
            continue
        if (action.holds or action.releases) and (tables is None or tables.hold is None or tables.turn is None):
            message = f"{participant.service}: {action.name} needs tables of holds and turns."
            yield Error(message, hint=hint, id="sagas.E010")
        if action.under and tables is None:
            yield Error(f"{participant.service}: {action.name} needs a table of guards.", hint=hint, id="sagas.E010")


def _command_errors(saga: Saga, command: Action | Compensation) -> Iterator[CheckMessage]:
    try:
        if command not in participant_of(command.service).commands:
            yield Error(f"{saga.name}: {command.service} does not carry out {command.name}.", id="sagas.E001")
            return
    except NotAParticipant as error:
        yield Error(f"{saga.name}: {error}.", id="sagas.E001")
        return
    yield from _task_errors(saga, command.name)


def _lifetime_errors(saga: Saga) -> Iterator[CheckMessage]:
    needed = settings.KEY_MARGIN + saga.deadline
    for command, work in _external_calls(saga):
        if work.key_lifetime is not None and work.key_lifetime <= needed:
            yield Error(
                f"{saga.name}: {command.name} has keys that are known for {work.key_lifetime}, not for over {needed}.",
                hint="Lower SHOP_KEY_MARGIN_SECONDS, or the deadline in a new version of the saga.",
                id="sagas.E007",
            )


def _external_calls(saga: Saga) -> Iterator[tuple[Action | Compensation, ExternalCommand]]:
    for step in saga.steps:
        for command in (step.action, step.compensation):
            if command is not None and isinstance(work := _work_of(command), ExternalCommand):
                yield command, work


def _work_of(command: Action | Compensation) -> Any:
    participant = participants().get(command.service)
    return participant.commands.get(command) if participant else None


def _task_errors(saga: Saga, name: str) -> Iterator[CheckMessage]:
    task = current_app.tasks.get(name)
    if task is None:
        yield Error(f"{saga.name}: no task is called {name}.", id="sagas.E002")
        return
    declared = {queue.name for queue in settings.TOPOLOGY.queues}
    if routing.queue_of(name) not in declared:
        yield Error(
            f"{saga.name}: {name} is routed to {routing.queue_of(name)!r}, which is not declared.", id="sagas.E003"
        )
    if not (task.acks_late and task.reject_on_worker_lost and isinstance(task, SagaTask)):
        yield Error(f"{saga.name}: {name} is not acked late, requeued or mandatory; use SagaTask.", id="sagas.E004")
