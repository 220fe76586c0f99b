"""`manage.py check` finds what a definition lacks in this process."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import pytest
from celery import current_app
from django.core.checks import run_checks

from orchestration import sagas
from orchestration.contracts import orders, payments
from orchestration.contracts.command import Action, Compensation, Lock
from orchestration.participant.lock_tables import LockTables
from orchestration.participant.participant import participants
from orchestration.protocol.saga import Pivot, Saga, Step
from orchestration.sagas.checkout import checkout
from orders.models import Guard, Hold, Turn


@dataclass(frozen=True)
class RepairAsked:
    repaired_saga_id: UUID


WRITTEN = """
from dataclasses import replace

from orchestration.sagas.checkout import checkout

checkout_v3 = replace(checkout, name="checkout.v3")
"""


@pytest.fixture
def unregistered(tmp_path, monkeypatch) -> Iterator[None]:
    """Another module of definitions beside those of this code."""
    (tmp_path / "checkout_v3.py").write_text(WRITTEN)
    monkeypatch.setattr(sagas, "__path__", [*sagas.__path__, str(tmp_path)])
    yield
    sys.modules.pop("orchestration.sagas.checkout_v3", None)


def found() -> list[tuple[str | None, str]]:
    return [(each.id, each.msg) for each in run_checks()]


def test_this_code_lacks_nothing() -> None:
    assert found() == []


def test_definition_that_is_not_registered_is_named(unregistered: None) -> None:
    assert found() == [("sagas.E008", "orchestration.sagas.checkout_v3: checkout.v3 is not registered.")]


def test_definition_with_the_name_of_another_is_named(monkeypatch) -> None:
    other = replace(checkout, deadline=timedelta(hours=1))
    monkeypatch.setitem(sagas.definitions, "checkout.v2", other)
    assert ("sagas.E008", "orchestration.sagas.checkout: another definition is registered as checkout.v2.") in found()


def test_definition_under_a_name_that_is_not_its_own_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sagas.definitions, "checkout.v3", checkout)
    assert found() == [("sagas.E008", "checkout.v2 is registered as checkout.v3.")]


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        (
            Action("orders.gift_wrap", request=orders.ConfirmNoOrder),
            ("sagas.E001", "wrap.v1: orders does not carry out orders.gift_wrap."),
        ),
        (
            Action("gifts.wrap_gift", request=orders.ConfirmNoOrder),
            ("sagas.E001", "wrap.v1: no participant is called 'gifts'."),
        ),
    ],
)
def test_step_that_no_service_carries_out_is_named(monkeypatch, action: Action, problem: tuple[str, str]) -> None:
    wrap = Saga("wrap.v1", request=RepairAsked, deadline=timedelta(minutes=1), steps=(Pivot(action),))
    monkeypatch.setitem(sagas.definitions, wrap.name, wrap)
    assert problem in found()


def test_command_without_a_task_is_named(monkeypatch) -> None:
    monkeypatch.delitem(current_app.tasks, "payments.capture_payment")
    assert found() == [
        ("sagas.E002", "checkout.v2: no task is called payments.capture_payment."),
        ("sagas.E002", "checkout.v1: no task is called payments.capture_payment."),
    ]


def test_contract_that_hides_an_external_call_is_named(monkeypatch) -> None:
    service = participants()["payments"]
    hidden = replace(payments.authorise_payment, external=False)
    undo = replace(payments.refund_payment, undoes=hidden)
    commands = dict(service.commands)
    commands[hidden], commands[undo] = commands[payments.authorise_payment], commands[payments.refund_payment]
    monkeypatch.setitem(participants(), "payments", replace(service, commands=commands))
    position = checkout.position_of("authorise_payment")
    steps = list(checkout.steps)
    steps[position] = replace(steps[position], action=hidden, compensation=undo)
    monkeypatch.setitem(sagas.definitions, "hidden.v1", replace(checkout, name="hidden.v1", steps=tuple(steps)))
    message = "hidden.v1: authorise_payment is carried out outside, its contract says external=False."
    assert ("sagas.E012", message) in found()


def taking(name: str, *locks: str) -> Saga:
    """A definition that takes these locks in this order."""

    def action(verb: str, *, holds: Lock | None = None, releases: Lock | None = None) -> Action:
        return Action(f"payments.{verb}", request=RepairAsked, holds=holds, releases=releases)

    taken = [action(f"take_{lock}", holds=Lock(lock, by="repaired_saga_id")) for lock in locks]
    return Saga(
        name,
        request=RepairAsked,
        deadline=timedelta(minutes=1),
        steps=(
            *(Step(each, Compensation(f"payments.drop_{each.step}", RepairAsked, undoes=each)) for each in taken),
            Pivot(action("decide")),
            *(Step(action(f"release_{lock}", releases=Lock(lock, by="repaired_saga_id"))) for lock in locks),
        ),
    )


def lock_warnings(monkeypatch, *sagas_made: Saga) -> list[str]:
    for saga in sagas_made:
        monkeypatch.setitem(sagas.definitions, saga.name, saga)
    return [message for kind, message in found() if kind == "sagas.W011"]


def test_two_definitions_that_take_two_locks_in_opposite_orders_are_named(monkeypatch) -> None:
    warnings = lock_warnings(monkeypatch, taking("pay.v1", "wallet", "coupon"), taking("gift.v1", "coupon", "wallet"))

    assert warnings == ["pay.v1 takes the lock wallet before coupon, gift.v1 after it."]


def test_locks_between_two_others_do_not_hide_their_order(monkeypatch) -> None:
    one, other = taking("pay.v1", "order", "wallet", "coupon"), taking("gift.v1", "coupon", "customer", "order")

    assert lock_warnings(monkeypatch, one, other) == ["pay.v1 takes the lock order before coupon, gift.v1 after it."]


def test_definitions_that_take_their_locks_in_one_order_are_not_warned_of(monkeypatch) -> None:
    one, other = taking("pay.v1", "order", "wallet"), taking("gift.v1", "order", "coupon", "wallet")

    assert lock_warnings(monkeypatch, one, other) == []


@pytest.mark.parametrize(
    ("tables", "complaints"),
    [
        (None, {"take_order needs tables of holds and turns.", "count_order needs a table of guards."}),
        (LockTables(guard=Guard), {"take_order needs tables of holds and turns."}),
        (LockTables(guard=Guard, hold=Hold, turn=Turn), set()),
    ],
)
def test_service_without_the_tables_of_its_locks_is_named(
    monkeypatch, tables: LockTables | None, complaints: set[str]
) -> None:
    lock = Lock("order", by="repaired_saga_id")
    actions = (
        Action("orders.take_order", request=RepairAsked, holds=lock),
        Action("orders.count_order", request=RepairAsked, under=lock),
    )
    service = replace(participants()["orders"], commands=dict.fromkeys(actions, str), locks=tables)
    monkeypatch.setitem(participants(), "orders", service)
    assert {message for kind, message in found() if kind == "sagas.E010"} == {
        f"orders: orders.{each}" for each in complaints
    }
