"""Sagas in the situations an operator meets, brought there through the engine and the participant kit."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from orchestration.engine import dispatch, engine
from orchestration.models import SagaInstance
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Done
from orchestration.participant.participant import participant_of
from orchestration.protocol.events import (
    CancelRequested,
    ChainCompleted,
    CompletedSteps,
    Due,
    Event,
    Paused,
    PivotFoundDone,
    StepFailed,
    StepRefused,
    StepsUndone,
)
from orchestration.protocol.states import Command, Operation
from orchestration.sagas.checkout import checkout
from orchestration.testing import step_runner
from tests.support.shop import NOT_NEEDED, Shop

SECRET = "tok_ok"
TASK_ID = "11111111-2222-3333-4444-555555555555"
STEPS = tuple(step.name for step in checkout.steps if step.name not in NOT_NEEDED)
COMPENSABLE = STEPS[: STEPS.index(checkout.pivot.name)]


class Post:
    """A broker that keeps what it is given, while it `answers` and `takes` messages."""

    def __init__(self) -> None:
        self.answers = self.takes = True
        self.sent: list[tuple[UUID, Command]] = []

    def send(self, instance: SagaInstance, command: Command) -> None:
        if not self.takes:
            raise dispatch.BrokerAway("it takes nothing")
        self.sent.append((instance.pk, command))

    def is_ready(self) -> bool:
        return self.answers


class Situations:
    """Starts sagas and lets things happen to them. Nobody else does: no worker runs."""

    def __init__(self) -> None:
        self.shop = Shop()

    def running(self, *, age: timedelta = timedelta(0)) -> UUID:
        return self.shop.place(payment_method=SECRET, now=datetime.now(UTC) - age)

    def failing(self, step: str = "authorise_payment", *, tries: int = 1) -> UUID:
        """Waits to try the step again, after so many tries."""
        saga_id = self.running()
        self.fail(saga_id, step)
        for _ in range(tries - 1):
            self.report(saga_id, Due())
            self.fail(saga_id, step)
        return saga_id

    def barring(self) -> UUID:
        saga_id = self.running()
        self.report(saga_id, CancelRequested())
        return saga_id

    def finishing(self) -> UUID:
        """Was to be given up, but the pivot had been faster: the row does not know the steps that are done."""
        saga_id = self.barring()
        self.report(saga_id, PivotFoundDone())
        return saga_id

    def compensating(self, refused: str = "schedule_shipment") -> UUID:
        saga_id = self.running()
        self.report(
            saga_id, StepRefused(refused, {"code": "cannot_deliver", "detail": "Not there."}, _completed(refused))
        )
        return saga_id

    def parked_compensation(self) -> UUID:
        """The refund is parked, while the stock is still to be released."""
        saga_id = self.compensating()
        self.fail(saga_id, "authorise_payment", operation=Operation.COMPENSATION, permanent=True)
        return saga_id

    def parked_after_pivot(self) -> UUID:
        saga_id = self.running()
        self.fail(saga_id, "capture_payment", permanent=True)
        return saga_id

    def paused(self) -> UUID:
        saga_id = self.failing()
        self.report(saga_id, Paused("ada", "the gateway is being moved"))
        return saga_id

    def completed(self) -> UUID:
        saga_id = self.running()
        self.report(saga_id, ChainCompleted(_completed()))
        return saga_id

    def compensated(self) -> UUID:
        saga_id = self.compensating("authorise_payment")
        self.report(saga_id, StepsUndone(_completed()[:1] + _completed()[2:3]))
        return saga_id

    def every(self) -> list[UUID]:
        """One saga in each situation."""
        return [
            *(self.running(), self.barring(), self.finishing(), self.completed(), self.compensated()),
            *(self.failing(step) for step in STEPS),
            *(self.compensating(step) for step in COMPENSABLE),
            *(self.parked_compensation(), self.parked_after_pivot(), self.paused()),
        ]

    def act(self, saga_id: UUID, *steps: str) -> None:
        """Have each step's service carry its action out, as its worker would; there is enough in stock."""
        self.shop.stock()
        instance = self.shop.saga(saga_id)
        known = {**instance.request, "saga_id": str(saga_id)}
        for step in steps:
            action = checkout.by_name[step].action
            call = Call(saga_id, step, instance.token, known=known)
            outcome = step_runner.act(participant_of(action.service), action, [call])[0]
            assert isinstance(outcome, Done)
            known |= outcome.answer

    def fail(
        self, saga_id: UUID, step: str, *, operation: Operation = Operation.ACTION, permanent: bool = False
    ) -> SagaInstance:
        """The step breaks down once, in the task `TASK_ID`."""
        error = {"class": "GatewayTimeout", "message": "no answer within 1 s", "task_id": TASK_ID}
        done = _completed(step) if operation is Operation.ACTION else ()
        token = self.shop.saga(saga_id).token
        return self.report(saga_id, StepFailed(step, operation, token, error, done=done, permanent=permanent))

    def report(self, saga_id: UUID, event: Event) -> SagaInstance:
        return engine.apply(saga_id, event, now=datetime.now(UTC))


def _completed(until: str | None = None) -> CompletedSteps:
    """The steps before `until`, done just now."""
    steps = STEPS if until is None else STEPS[: STEPS.index(until)]
    return tuple((step, datetime.now(UTC)) for step in steps)
