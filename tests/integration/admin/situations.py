"""Sagas in the situations an operator meets, brought there through the engine and the participant kit."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from orchestration import engine, selectors
from orchestration.models import SagaInstance
from orchestration.participant import handler
from orchestration.participant.participant import participant_of
from orchestration.participant.rows import Call
from orchestration.sagas.checkout import checkout
from orchestration.states import CancelRequested, ChainCompleted, Event, Operation, StepFailed, StepRefused, StepsUndone
from tests.support.shop import Shop

SECRET = "tok_secret_card"
STEPS = tuple(step.name for step in checkout.steps)
ACTIONS = {step.name: step.action for step in checkout.steps}
TASK_ID = "11111111-2222-3333-4444-555555555555"


class Situations:
    """Starts sagas and lets things happen to them; nobody else does, because no worker runs."""

    def __init__(self) -> None:
        self.shop = Shop()
        self.shop.stock()

    def running(self, *, age: timedelta = timedelta(0)) -> UUID:
        return self.shop.place(payment_method=SECRET, now=datetime.now(UTC) - age)

    def acted(self, saga_id: UUID, step: str) -> None:
        """Have the step's service carry its action out, as its worker would."""
        action = ACTIONS[step]
        instance = selectors.saga(saga_id)
        assert instance
        known = {**instance.request, **instance.answers, "saga_id": str(saga_id)}
        call = Call(saga_id, step, instance.token, known=known)
        handler.act(participant_of(action.service), action, [call])

    def failing(self, step: str = "authorise_payment", *, tries: int = 1, task_id: str = TASK_ID) -> UUID:
        """The step has failed so often in a row; it is to be tried again."""
        saga_id = self.running()
        for _ in range(tries):
            self.fails(saga_id, step, task_id=task_id)
            engine.apply(saga_id, engine_due(), now=datetime.now(UTC))
        return saga_id

    def fails(
        self,
        saga_id: UUID,
        step: str,
        *,
        operation: Operation = Operation.ACTION,
        hopeless: bool = False,
        task_id: str = TASK_ID,
    ) -> SagaInstance:
        error = {"class": "GatewayTimeout", "message": "no answer within 1 s", "task_id": task_id}
        done = self._trail(STEPS[: STEPS.index(step)]) if operation is Operation.ACTION else ()
        return self.happens(
            saga_id, lambda token: StepFailed(step, operation, token, error, done=done, hopeless=hopeless)
        )
