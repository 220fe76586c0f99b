"""The project's Celery app after a deploy: beside checkout.v2 it has checkout.v3, with a step that v2's code lacks.

Only tests start this app.
"""

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from celery import signals

from config.celery import app
from orchestration.contracts.command import Action, Compensation
from orchestration.messaging.topology import compensations_queue
from orchestration.protocol.saga import Step
from orchestration.sagas import definitions
from orchestration.sagas.checkout import checkout

__all__ = ["app"]


@dataclass(frozen=True)
class SetGiftAside:
    saga_id: UUID
    order_id: UUID


set_gift_aside = Action("inventory.set_gift_aside", request=SetGiftAside)
put_gift_back = Compensation("inventory.put_gift_back", request=SetGiftAside, undoes=set_gift_aside)

checkout_v3 = replace(
    checkout,
    name="checkout.v3",
    steps=(*checkout.steps[:3], Step(set_gift_aside, compensation=put_gift_back), *checkout.steps[3:]),
)


def deploy() -> None:
    """Register the second version in this process, in which Django is set up."""
    from orchestration.participant.executor import works_of
    from orchestration.participant.participant import participants
    from orchestration.participant.tasks import make_task

    definitions[checkout_v3.name] = checkout_v3
    gifts: dict[Any, Any] = {set_gift_aside: lambda request: None, put_gift_back: lambda request: None}
    works = works_of(replace(participants()["inventory"], commands=gifts))
    for command, queue in ((set_gift_aside, "inventory"), (put_gift_back, compensations_queue("inventory"))):
        if command.name not in app.tasks:
            make_task(command.name, queue, works[command.name])


@signals.celeryd_init.connect
def deploy_in_the_worker(**_: object) -> None:
    """Register the second version before the worker consumes anything."""
    app.loader.import_default_modules()
    deploy()
