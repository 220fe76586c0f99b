"""What staff see of sagas over HTTP, and do to them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from orchestration.models import OperatorLogEntry, SagaInstance
from orchestration.participant import breaker_registry
from tests.integration.admin.situations import Situations
from tests.integration.api.conftest import EVERY_DATABASE, Shopper, pointers

pytestmark = pytest.mark.django_db(databases=EVERY_DATABASE)


def ids(response: Any) -> list[UUID]:
    return [UUID(saga["id"]) for saga in response.json()["results"]]


def act(boss: Shopper, saga_id: UUID, action: str, headers: dict[str, str] | None = None, **said: Any) -> Any:
    body = {"action": action, "reason": "the gateway is back", **said}
    path = f"/sagas/{saga_id}/actions"
    return boss.post(path, data=body, content_type="application/json", headers=headers or {})


def test_sagas_are_listed_by_the_filters_of_admin_and_commands(boss: Shopper, situations: Situations) -> None:
    failing, parked = situations.failing("schedule_shipment", tries=3), situations.parked_after_pivot()
    completed = situations.completed()
    assert ids(boss.get("/sagas")) == [completed, parked, failing]
    assert ids(boss.get("/sagas?status=parked&status=retrying")) == [parked, failing]
    assert ids(boss.get("/sagas?step=schedule_shipment&attempts=3&error=GatewayTimeout")) == [failing]
    assert ids(boss.get("/sagas?attempts=4&status=retrying")) == []
    assert ids(boss.get("/sagas?status=unfinished")) == [parked, failing]
    assert ids(boss.get("/sagas?status=unfinished&status=completed")) == [completed, parked, failing]
    assert ids(boss.get("/sagas?failing=true")) == [parked, failing]
    assert ids(boss.get("/sagas?undoing=true")) == []
    assert ids(boss.get("/sagas?failing=false")) == [completed, parked, failing]
    assert ids(boss.get(f"/sagas?search={completed}")) == [completed]
    assert boss.get("/sagas/count?status=parked").json() == {"count": 1, "is_more": False}


def test_pages_follow_each_other(boss: Shopper, situations: Situations) -> None:
    made = [situations.running() for _ in range(3)]
    first = boss.get("/sagas?limit=2&status=running")
    assert ids(first) == [made[2], made[1]]
    second = boss.client.get(first.json()["next"], headers={"Authorization": f"Token {boss.token}"})
    assert ids(second) == [made[0]]
    assert second.json()["next"] is None


def test_wrong_queries_name_the_parameter(boss: Shopper) -> None:
    answer = boss.get("/sagas?status=no_such&attempts=x")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_filter")
    assert {pointer for pointer, _ in pointers(answer)} == {"/status/0", "/attempts"}
    assert boss.get("/sagas?cursor=x").json()["code"] == "invalid_cursor"


def test_a_saga_is_shown_whole_with_its_version_and_without_secrets(boss: Shopper, situations: Situations) -> None:
    saga_id = situations.failing()
    answer = boss.get(f"/sagas/{saga_id}")
    assert answer["ETag"] == f'"{answer.json()["version"]}"'
    assert answer.json()["request"]["payment_method"] == "(hidden)"
    assert boss.get(f"/sagas/{uuid4()}").status_code == 404


def test_why_says_what_a_person_has_to_do(boss: Shopper, situations: Situations) -> None:
    answer = boss.get(f"/sagas/{situations.parked_after_pivot()}/why").json()
    assert answer["cause"] == "parked"
    assert answer["needs_a_person"]
    assert boss.get(f"/sagas/{uuid4()}/why").status_code == 404


def test_an_action_is_looked_at_taken_and_kept_in_the_log(boss: Shopper, situations: Situations) -> None:
    saga_id = situations.parked_after_pivot()
    looked_at = act(boss, saga_id, "resume", dry_run=True)
    assert looked_at.json()["possible"]
    assert OperatorLogEntry.objects.count() == 0
    taken = act(boss, saga_id, "resume", headers={"If-Match": looked_at["ETag"]})
    assert (taken.status_code, taken.json()["code"], taken.json()["via"]) == (200, "taken", "api")
    [entry] = boss.get(f"/sagas/{saga_id}/operator-log").json()["results"]
    assert (entry["by"], entry["reason"]) == ("boss", "the gateway is back")


def test_of_two_who_saw_the_same_one_is_too_late(boss: Shopper, situations: Situations) -> None:
    saga_id = situations.parked_after_pivot()
    seen = boss.get(f"/sagas/{saga_id}").json()["version"]
    assert act(boss, saga_id, "resume", expected_version=seen).status_code == 200
    after = SagaInstance.objects.values().get(pk=saga_id)
    for late in ({"expected_version": seen}, {"headers": {"If-Match": f'"{seen}"'}}, {"headers": {"If-Match": '"x"'}}):
        answer = act(boss, saga_id, "resume", **late)
        assert (answer.status_code, answer.json()["code"]) == (412, "changed_meanwhile")
    assert SagaInstance.objects.values().get(pk=saga_id) == after


def test_what_the_state_does_not_allow_is_409_and_says_why(boss: Shopper, situations: Situations) -> None:
    saga_id = situations.completed()
    answer = act(boss, saga_id, "cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "refused_by_state")
    assert answer.json()["refusal"] in ("too_late", "ended")
    assert OperatorLogEntry.objects.get(pk=answer.json()["log_entry"]).code == answer.json()["refusal"]
    assert not act(boss, saga_id, "cancel", dry_run=True).json()["possible"]


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"action": "no_such", "reason": "x"}, "/action"),
        ({"action": "resume"}, "/reason"),
        ({"action": "resume", "reason": "x", "force": True}, "/force"),
        ({"action": "settle", "reason": "x", "evidence": "y"}, ""),
        ({"action": "resolve", "reason": "x", "step": "capture_payment", "evidence": "y"}, "/outcome"),
        ({"action": "resume", "reason": "x", "void": True}, ""),
        ({"action": "resume", "reason": "x", "expected_version": "1"}, "/expected_version"),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    said: dict[str, Any], pointer: str, boss: Shopper, situations: Situations
) -> None:
    answer = boss.post(f"/sagas/{situations.running()}/actions", data=said, content_type="application/json")
    assert answer.status_code == 422
    assert [each for each, _ in pointers(answer)] == [pointer]
    assert OperatorLogEntry.objects.count() == 0


def test_void_is_for_one_saga_and_for_what_is_on_hold(boss: Shopper, situations: Situations) -> None:
    said: dict[str, Any] = {"step": "capture_payment", "evidence": "statement 7", "void": True}
    answer = act(boss, situations.parked_after_pivot(), "settle", dry_run=True, **said)
    assert answer.json()["why_not"] == "nothing is on hold in our records: leave out void"
    body = {"action": "settle", "reason": "x", "sagas": {"status": ["parked"]}, **said}
    many = boss.post("/saga-batches", data=body, content_type="application/json")
    assert [each for each, _ in pointers(many)] == ["/void"]


def test_an_action_on_no_saga_is_404(boss: Shopper) -> None:
    assert act(boss, uuid4(), "resume").status_code == 404
    assert act(boss, uuid4(), "resume", dry_run=True).status_code == 404


def test_breakers_are_listed_opened_and_closed(boss: Shopper) -> None:
    name = next(name for name in breaker_registry.in_use() if "gateway" in name)

    def change(what: str, **said: Any) -> Any:
        body = {"reason": "it is being changed", **said}
        return boss.post(f"/breakers/{name}/{what}", data=body, content_type="application/json").json()["state"]

    try:
        assert change("open", seconds=60, dry_run=True) == "closed"
        assert change("open", seconds=60) == "open"
        assert {each["name"]: each["state"] for each in boss.get("/breakers").json()["results"]}[name] == "open"
        assert change("close") == "closed"
    finally:
        breaker_registry.in_use()[name].close()
    missing = boss.post("/breakers/no.such/close", data={"reason": "x"}, content_type="application/json")
    assert missing.status_code == 404


def test_a_batch_that_moves_money_waits_for_a_second_person(
    boss: Shopper, situations: Situations, hire: Callable[..., Shopper]
) -> None:
    sagas = [situations.failing(), situations.failing()]
    body = {"action": "cancel", "reason": "the carrier is gone", "sagas": {"status": ["retrying"]}, "canary": 1}

    def post(who: Shopper, path: str, said: Any) -> Any:
        return who.post(path, data=said, content_type="application/json")

    looked_at = post(boss, "/saga-batches", {**body, "dry_run": True}).json()
    assert (looked_at["chosen"], looked_at["possible"], looked_at["needs_second_person"]) == (2, 2, True)
    batch = post(boss, "/saga-batches", body).json()
    assert (batch["state"], batch["chosen"], batch["tally"]["to_do"]) == ("asked", len(sagas), 2)
    own = post(boss, f"/saga-batches/{batch['id']}/approve", {})
    assert (own.status_code, own.json()["code"]) == (409, "batch_refused")
    second = hire("second", "approve_batch", "cancel_saga", "view_sagainstance")
    approved = post(second, f"/saga-batches/{batch['id']}/approve", {}).json()
    assert (approved["state"], approved["approved_by"]) == ("approved", "second")
    stopped = post(boss, f"/saga-batches/{batch['id']}/stop", {"reason": "not now"}).json()
    assert (stopped["state"], stopped["stopped_by"], stopped["stopped_why"]) == ("stopped", "boss", "not now")
    assert [each["id"] for each in boss.get("/saga-batches").json()["results"]] == [batch["id"]]
    assert boss.get(f"/saga-batches/{batch['id']}").json()["state"] == "stopped"
    assert boss.get(f"/saga-batches/{uuid4()}").status_code == 404


def test_a_request_for_a_batch_sent_twice_makes_one(boss: Shopper, situations: Situations) -> None:
    situations.parked_after_pivot()
    body = {"action": "resume", "reason": "the gateway is back", "sagas": {"status": ["parked"]}}

    def ask(key: str | None, **more: Any) -> Any:
        headers = {"Idempotency-Key": key} if key is not None else {}
        return boss.post("/saga-batches", data=body | more, content_type="application/json", headers=headers)

    assert ask("k-1").json()["id"] == ask("k-1").json()["id"]
    other = ask("k-1", reason="another")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (ask("k\t1").status_code, ask("k\t1").json()["code"]) == (400, "idempotency_key_malformed")
    assert len({ask(None).json()["id"], ask(None).json()["id"], ask("k-2").json()["id"], ask("k-1").json()["id"]}) == 4


def test_a_batch_of_every_saga_or_of_none_is_refused(boss: Shopper) -> None:
    def ask(**sagas: Any) -> Any:
        said = {"action": "resume", "reason": "x", "sagas": sagas}
        return boss.post("/saga-batches", data=said, content_type="application/json")

    assert pointers(ask()) == [("/sagas", "empty")]
    assert pointers(ask(failing=False)) == [("/sagas", "empty")]
    for name in ("status", "step", "error", "definition", "ids"):
        assert pointers(ask(failing=True, **{name: []})) == [(f"/sagas/{name}", "empty")]
    assert ask(undoing=True).json()["code"] == "batch_refused"
    assert ask(failing=True).json()["code"] == "batch_refused"
    assert ask(status=["parked"]).json()["code"] == "batch_refused"
    assert pointers(ask(status=["no_such"])) == [("/sagas/status/0", "invalid_choice")]
