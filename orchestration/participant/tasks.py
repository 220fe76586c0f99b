"""The Celery tasks of a participant's commands."""

from typing import Any

from celery import shared_task
from django.conf import settings

from orchestration.contracts.command import Action
from orchestration.execution.results import MakeWork
from orchestration.execution.task import BatchedTask
from orchestration.messaging.routing import send_to
from orchestration.messaging.topology import compensations_queue
from orchestration.participant.executor import works_of
from orchestration.participant.participant import Participant


def make_tasks(participant: Participant) -> None:
    """Make one task for each command, and one that bars."""
    actions = {command.name for command in participant.commands if isinstance(command, Action)}
    for name, make_work in works_of(participant).items():
        make_task(name, participant.service if name in actions else compensations_queue(participant.service), make_work)


def make_task(name: str, queue: str, make_work: MakeWork) -> None:
    """Make a task of this name, routed to the queue, whose messages this work runs."""

    routed = send_to(settings.TOPOLOGY.name(queue), name)

    @shared_task(name=routed, base=BatchedTask, bind=True, typing=False, make_work=make_work)
    def task(self: BatchedTask, *args: Any, **ids: Any) -> None:
        self.run_inline(args, ids)
