"""A saga that takes two locks of one kind, in the order that its request names: two of them can deadlock."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from orchestration.contracts.command import Action, Compensation, Lock
from orchestration.protocol.saga import Pivot, Saga, Step

PATIENCE = timedelta(minutes=5)


@dataclass(frozen=True)
class ExchangeRequested:
    first: str
    second: str


@dataclass(frozen=True)
class TakeFirst:
    saga_id: UUID
    first: str


@dataclass(frozen=True)
class TakeSecond:
    saga_id: UUID
    second: str


@dataclass(frozen=True)
class Decide:
    saga_id: UUID


FIRST = Lock("wallet", by="first", patience=PATIENCE)
SECOND = Lock("wallet", by="second", patience=PATIENCE)

take_first = Action("payments.take_first", request=TakeFirst, holds=FIRST)
drop_first = Compensation("payments.drop_first", request=TakeFirst, undoes=take_first)
take_second = Action("payments.take_second", request=TakeSecond, holds=SECOND)
drop_second = Compensation("payments.drop_second", request=TakeSecond, undoes=take_second)
decide_exchange = Action("payments.decide_exchange", request=Decide)
release_first = Action("payments.release_first", request=TakeFirst, releases=FIRST)
release_second = Action("payments.release_second", request=TakeSecond, releases=SECOND)

exchange = Saga(
    name="exchange.v1",
    request=ExchangeRequested,
    deadline=timedelta(minutes=15),
    steps=(
        Step(take_first, compensation=drop_first),
        Step(take_second, compensation=drop_second),
        Pivot(decide_exchange),
        Step(release_first),
        Step(release_second),
    ),
)

COMMANDS = (
    *(take_first, drop_first, take_second, drop_second),
    *(decide_exchange, release_first, release_second),
)
"""The commands of payments that it needs."""
