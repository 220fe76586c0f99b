"""The project's Celery app with the saga of `two_locks`. With `CRASH_AT`, its worker kills itself as that of `crash`.

Only tests start this app.
"""

import os
from dataclasses import replace
from typing import Any

from celery import signals

from config.celery import app
from orchestration.contracts.command import Action
from orchestration.messaging.topology import compensations_queue
from orchestration.sagas import definitions
from tests.support import two_locks

__all__ = ["app"]

if "CRASH_AT" in os.environ:
    import tests.support.crash  # noqa: F401  it arms its failpoint


def deploy() -> None:
    """Register the saga in this process, in which Django is set up."""
    from orchestration.participant.executor import works_of
    from orchestration.participant.participant import participants
    from orchestration.participant.tasks import make_task

    definitions[two_locks.exchange.name] = two_locks.exchange
    commands: dict[Any, Any] = {command: lambda request: None for command in two_locks.COMMANDS}
    works = works_of(replace(participants()["payments"], commands=commands))
    for command in two_locks.COMMANDS:
        if command.name not in app.tasks:
            queue = "payments" if isinstance(command, Action) else compensations_queue("payments")
            make_task(command.name, queue, works[command.name])


@signals.celeryd_init.connect
def deploy_in_the_worker(**_: object) -> None:
    """Register the saga before the worker consumes anything."""
    app.loader.import_default_modules()
    deploy()
