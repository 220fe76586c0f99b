"""Preflight: what stands in the way of carrying on the sagas that are under way, before it does."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import pytest
from celery import current_app
from django.core.management import CommandError, call_command

from orchestration import sagas
from orchestration.contracts.command import Action
from orchestration.engine import engine, preflight
from orchestration.models import SagaInstance
from orchestration.protocol.events import CancelRequested, ChainCompleted, PivotFoundDone, StepFailed, StepRefused
from orchestration.protocol.states import Operation
from orchestration.sagas.checkout import checkout
from tests.support.shop import Shop

pytestmark = pytest.mark.django_db(transaction=True, databases=["orchestration"])

STEPS = [step.name for step in checkout.steps]
ANSWERS = {"authorisation_id": "a", "tracking_number": "t", "capture_id": "c"}


@pytest.fixture(autouse=True)
def nothing_is_sent(sent):
    """These sagas stay where they are put."""


@dataclass(frozen=True)
class CapturePaymentWithTip:
    saga_id: UUID
    authorisation_id: str
    tip_minor: int


def running() -> UUID:
    return Shop().place()


def happens(saga_id: UUID, event, **known) -> UUID:
    engine.apply(saga_id, event, now=datetime.now(UTC), known=known)
    return saga_id


def compensating() -> UUID:
    return happens(running(), StepRefused("schedule_shipment", {"code": "no"}), authorisation_id="a")


def finishing() -> UUID:
    return happens(happens(running(), CancelRequested()), PivotFoundDone())


NONE_OF_ANY = dict.fromkeys(sagas.definitions, 0)


def problems() -> dict[str, list[UUID]]:
    return dict(preflight.inspect().problems)


def with_definition(monkeypatch, saga) -> None:
    monkeypatch.setitem(sagas.definitions, "checkout.v2", saga)


def test_sagas_in_every_phase_can_be_carried_on_by_the_code_that_started_them():
    running(), happens(running(), CancelRequested()), compensating(), finishing()

    found = preflight.inspect()

    assert found.problems == {}
    assert found.checked == NONE_OF_ANY | {"checkout.v2": 4}


def test_a_definition_that_nobody_uses_is_reported():
    assert preflight.inspect().checked == NONE_OF_ANY


def test_ended_sagas_are_of_no_concern(monkeypatch):
    done = tuple((step, datetime.now(UTC)) for step in STEPS)
    happens(running(), ChainCompleted(done), **ANSWERS)
    monkeypatch.delitem(sagas.definitions, "checkout.v2")

    assert problems() == {}


def test_sagas_whose_definition_is_gone_are_named(monkeypatch):
    lost = sorted([running(), compensating()])
    monkeypatch.delitem(sagas.definitions, "checkout.v2")

    assert problems() == {"no saga definition is called 'checkout.v2'": lost}


@pytest.mark.parametrize(
    ("task", "concerned"),
    [
        ("shipping.schedule_shipment", ["running", "barring"]),
        ("payments.refund_payment", ["running", "barring", "compensating"]),
        ("orders.bar", ["running", "barring"]),
        ("orchestration.steps_undone", ["running", "barring", "compensating", "finishing"]),
    ],
)
def test_a_task_is_missed_by_the_sagas_that_still_need_it(monkeypatch, task, concerned):
    placed = {
        "running": running(),
        "barring": happens(running(), CancelRequested()),
        "compensating": compensating(),
        "finishing": _captures_next(),
    }
    others = {name: known for name, known in current_app.tasks.items() if name != task}
    monkeypatch.setattr(preflight, "current_app", SimpleNamespace(tasks=others))

    assert problems() == {f"checkout.v2: no task is called {task}": sorted(placed[phase] for phase in concerned)}


def _captures_next() -> UUID:
    """The order is placed, and all answers are known but that of the capture."""
    done = tuple((step, datetime.now(UTC)) for step in STEPS[:-1])
    failed = StepFailed("capture_payment", Operation.ACTION, 1, {"class": "Timeout"}, done)
    return happens(running(), failed, authorisation_id="a", tracking_number="t")


def test_a_request_that_has_changed_its_shape_is_named_with_the_field():
    broken = running()
    SagaInstance.objects.filter(pk=broken).update(request={"customer_id": "ann"})

    found = problems()

    assert "checkout.v2: CheckoutRequested cannot be read: CheckoutRequested.order_id is missing" in found
    assert set(map(tuple, found.values())) == {(broken,)}


def test_a_field_that_a_contract_has_grown_is_named(monkeypatch):
    """The classical accident: v1's code asks for something that sagas under way never knew."""
    saga_id = running()
    capture = Action("payments.capture_payment", request=CapturePaymentWithTip)
    steps = tuple(replace(step, action=capture) if step.name == "capture_payment" else step for step in checkout.steps)
    grown = object.__new__(type(checkout))
    grown.__dict__.update(checkout.__dict__ | {"steps": steps})
    grown.__dict__.pop("by_name", None)
    with_definition(monkeypatch, grown)

    expected = "checkout.v2: payments.capture_payment needs tip_minor, which this saga does not know"
    assert problems() == {expected: [saga_id]}


def test_answers_that_are_still_to_come_are_not_missed():
    """place_order needs what payments and shipping have yet to answer."""
    running()

    assert problems() == {}


def test_an_answer_that_cannot_be_read_any_more_is_named():
    saga_id = _captures_next()
    SagaInstance.objects.filter(pk=saga_id).update(answers=ANSWERS | {"authorisation_id": 7})

    expected = "checkout.v2: payments.capture_payment cannot be read: CapturePayment.authorisation_id is not str"
    assert problems() == {expected: [saga_id]}


def test_the_command_refuses_with_ids(monkeypatch, capsys):
    saga_id = running()
    monkeypatch.delitem(sagas.definitions, "checkout.v2")

    with pytest.raises(CommandError) as refused:
        call_command("saga", "preflight", "--format", "json")

    assert refused.value.returncode == 1
    reported = json.loads(capsys.readouterr().out)
    assert reported["problems"] == [{"problem": "no saga definition is called 'checkout.v2'", "sagas": [str(saga_id)]}]


def test_the_command_says_how_many_sagas_it_looked_at(capsys):
    running()

    call_command("saga", "preflight", "--format", "json")

    assert json.loads(capsys.readouterr().out) == {"unfinished": NONE_OF_ANY | {"checkout.v2": 1}, "problems": []}
