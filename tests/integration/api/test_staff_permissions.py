"""Who may do what of the operators' resources: everybody, at each of them; and who may not changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from orchestration.models import Batch, MachineryLogEntry, OperatorLogEntry, SagaInstance
from orchestration.models.actions import OperatorAction, Via
from orchestration.operators.actions.batches import ask_for_batch
from orchestration.operators.actions.permissions import APPROVE_BATCH, BREAK_LOCK, OPERATE_BREAKERS, STOP_BATCH
from orchestration.operators.actions.requests import PERMISSIONS, Actor, Ask
from orchestration.operators.api.permissions import VIEW_SAGAS
from orchestration.operators.api.urls import urlpatterns
from orchestration.operators.insight.saga_filter import SagaFilter
from orchestration.participant import breaker_registry
from payments.models import Hold
from tests.integration.admin.situations import Post, Situations
from tests.integration.api.conftest import BASE, EVERY_DATABASE, Shopper

pytestmark = pytest.mark.django_db(databases=EVERY_DATABASE)

GATEWAY = next(name for name in breaker_registry.in_use() if "gateway" in name)


@dataclass(frozen=True)
class Door:
    """A resource and method, whose permission opens it."""

    route: str
    path: str
    permission: str
    body: dict[str, Any] | None = None

    def __str__(self) -> str:
        return f"{'GET' if self.body is None else 'POST'} {self.route} {(self.body or {}).get('action', '')}".strip()


def _act(action: OperatorAction) -> Door:
    more = {"step": "capture_payment", "evidence": "x", "outcome": "done"}
    said = {
        "action": action.value,
        "reason": "why",
        **(more if action in (OperatorAction.RESOLVE, OperatorAction.SETTLE) else {}),
    }
    return Door("saga-actions", "/sagas/{saga}/actions", PERMISSIONS[action], said)


DOORS = (
    Door("sagas", "/sagas", VIEW_SAGAS),
    Door("saga-count", "/sagas/count", VIEW_SAGAS),
    Door("saga", "/sagas/{saga}", VIEW_SAGAS),
    Door("saga-why", "/sagas/{saga}/why", VIEW_SAGAS),
    Door("saga-operator-log", "/sagas/{saga}/operator-log", VIEW_SAGAS),
    *(_act(action) for action in OperatorAction),
    Door("saga-timeline", "/sagas/{saga}/timeline", VIEW_SAGAS),
    *(
        Door(
            "saga-batches",
            "/saga-batches",
            PERMISSIONS[action],
            {**(_act(action).body or {}), "sagas": {"status": ["parked"]}},
        )
        for action in OperatorAction
    ),
    Door("saga-batches", "/saga-batches", VIEW_SAGAS),
    Door("saga-batch", "/saga-batches/{batch}", VIEW_SAGAS),
    Door("saga-batch-approval", "/saga-batches/{batch}/approve", APPROVE_BATCH, {}),
    Door("saga-batch-stop", "/saga-batches/{batch}/stop", STOP_BATCH, {"reason": "why"}),
    Door("stats", "/stats", VIEW_SAGAS),
    Door("breakers", "/breakers", VIEW_SAGAS),
    Door("breaker-opening", f"/breakers/{GATEWAY}/open", OPERATE_BREAKERS, {"reason": "why", "seconds": 60}),
    Door("breaker-closing", f"/breakers/{GATEWAY}/close", OPERATE_BREAKERS, {"reason": "why"}),
    Door("locks", "/locks", VIEW_SAGAS),
    Door("lock-break", "/locks/wallet:a/break", BREAK_LOCK, {"reason": "why", "evidence": "ticket 7"}),
    Door("lock-break-approval", "/locks/wallet:a/break/approve", BREAK_LOCK, {}),
    Door("machinery-log", "/machinery-log", VIEW_SAGAS),
)
EVERY_PERMISSION = sorted({door.permission for door in DOORS})


@pytest.fixture
def saga_id(db: None, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """A saga that is parked, so that every action is thinkable."""
    monkeypatch.setattr("orchestration.engine.dispatch.send", Post().send)
    saga_id = Situations().parked_after_pivot()
    Hold.objects.create(resource="wallet:a", saga_id=saga_id, step="take", fence=1)
    asker = Actor("asker", 0, Via.API)
    ask_for_batch(SagaFilter(ids=frozenset({saga_id})), Ask(OperatorAction.CANCEL, asker, "why"))
    return saga_id


@pytest.fixture(autouse=True)
def closed_breakers() -> Any:
    yield
    breaker_registry.in_use()[GATEWAY].close()


def knock(client: Client, door: Door, saga_id: UUID, headers: dict[str, str]) -> int:
    path = BASE + door.path.format(saga=saga_id, batch=Batch.objects.get().pk)
    if door.body is None:
        return int(client.get(path, headers=headers).status_code)
    return int(client.post(path, data=door.body, content_type="application/json", headers=headers).status_code)


def everything(saga_id: UUID) -> tuple[object, ...]:
    saga = SagaInstance.objects.values().get(pk=saga_id)
    return (
        saga,
        OperatorLogEntry.objects.count(),
        MachineryLogEntry.objects.count(),
        list(Batch.objects.values()),
        {name: each.state() for name, each in breaker_registry.in_use().items()},
    )


def test_every_resource_has_a_door_here() -> None:
    assert {door.route for door in DOORS} == {route.name for route in urlpatterns}


@pytest.mark.parametrize("door", DOORS, ids=str)
def test_without_a_token_it_is_401(door: Door, saga_id: UUID) -> None:
    before = everything(saga_id)
    assert knock(Client(), door, saga_id, {}) == 401
    assert everything(saga_id) == before


@pytest.mark.parametrize("door", DOORS, ids=str)
def test_a_customer_and_staff_without_the_permission_are_refused_and_nothing_changes(
    door: Door, saga_id: UUID, ada: Shopper, hire: Callable[..., Shopper]
) -> None:
    others = [permission for permission in EVERY_PERMISSION if permission != door.permission]
    before = everything(saga_id)
    for who in (ada, hire("nobody"), hire("almost", *others)):
        assert knock(who.client, door, saga_id, {"Authorization": f"Token {who.token}"}) == 403
    assert everything(saga_id) == before


@pytest.mark.django_db(transaction=True, databases=EVERY_DATABASE)  # services act
@pytest.mark.parametrize("door", DOORS, ids=str)
def test_staff_with_that_permission_alone_are_heard(door: Door, saga_id: UUID, hire: Callable[..., Shopper]) -> None:
    together = (PERMISSIONS[OperatorAction.CANCEL],) if door.permission == APPROVE_BATCH else ()
    who = hire("operator", door.permission, *together)
    assert knock(who.client, door, saga_id, {"Authorization": f"Token {who.token}"}) in (200, 202, 409)


def test_a_customer_with_a_permission_is_no_staff(saga_id: UUID, hire: Callable[..., Shopper]) -> None:
    who = hire("former", *EVERY_PERMISSION)
    get_user_model().objects.filter(username="former").update(is_staff=False)
    for door in DOORS:
        assert knock(who.client, door, saga_id, {"Authorization": f"Token {who.token}"}) == 403


@pytest.mark.parametrize("path", ["", "/why", "/timeline", "/operator-log"])
def test_who_may_not_look_may_not_ask_for_the_headers_only(
    path: str, saga_id: UUID, ada: Shopper, boss: Shopper, hire: Callable[..., Shopper]
) -> None:
    def head(who: Shopper) -> int:
        address = f"{BASE}/sagas/{saga_id}{path}"
        return int(who.client.head(address, headers={"Authorization": f"Token {who.token}"}).status_code)

    assert [head(who) for who in (ada, hire("nobody"), boss)] == [403, 403, 200]
