"""Locks over HTTP: they are listed, and broken by two people of the staff."""

from typing import Any
from uuid import UUID

import pytest

from orchestration.operators.insight import locks as lock_reads
from orchestration.sagas import definitions
from payments.models import Hold
from tests.integration.api.conftest import EVERY_DATABASE, Shopper
from tests.support.held_locks import RESOURCE, held, started, waits
from tests.support.two_locks import exchange

pytestmark = pytest.mark.django_db(transaction=True, databases=EVERY_DATABASE)

WHY = {"reason": "its saga cannot be made to end", "evidence": "ticket 7"}


@pytest.fixture(autouse=True)
def holder(monkeypatch: pytest.MonkeyPatch) -> UUID:
    monkeypatch.setitem(definitions, exchange.name, exchange)
    saga_id = started()
    held(saga_id)
    return saga_id


def ask(boss: Shopper, resource: str = RESOURCE, **body: Any) -> Any:
    return boss.post(f"/locks/{resource}/break", data={**WHY, **body}, content_type="application/json")


def test_locks_are_listed_with_the_sagas_that_wait(boss: Shopper, holder: UUID) -> None:
    waiter = started()
    waits(waiter, holder)
    found = boss.get("/locks").json()
    [lock] = found["results"]
    assert (lock["resource"], lock["service"], lock["saga_id"], lock["definition"]) == (
        *(RESOURCE, "payments", str(holder), "exchange.v1"),
    )
    assert [turn["saga_id"] for turn in lock["turns"]] == [str(waiter)]
    assert found["unavailable"] == []


def test_a_service_that_does_not_answer_is_named(boss: Shopper, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import DatabaseError

    def away(*_: object) -> None:
        raise DatabaseError("connection refused")

    monkeypatch.setattr(lock_reads, "_of", away)
    found = boss.get("/locks").json()
    assert found["results"] == []
    assert all("does not answer" in each for each in found["unavailable"])


def test_two_people_break_a_lock(boss: Shopper, hire, holder: UUID) -> None:
    asked = ask(boss)
    assert asked.status_code == 202
    assert (asked.json()["asked_by"], asked.json()["approved_by"]) == ("boss", None)
    refused = boss.post(f"/locks/{RESOURCE}/break/approve")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_approved")
    approved = hire("bob", "orchestration.break_lock").post(f"/locks/{RESOURCE}/break/approve")
    assert (approved.status_code, approved.json()["approved_by"]) == (200, "bob")
    assert not Hold.objects.exists()


def test_a_lock_that_no_saga_holds_is_not_found(boss: Shopper) -> None:
    assert ask(boss, "wallet:none").status_code == 404
    assert boss.post("/locks/wallet:none/break/approve").status_code == 404


@pytest.mark.parametrize("resource", ["%00", "%0A", "%ED%A0%80", "a/b"])
def test_a_resource_that_no_lock_can_have_is_not_found(boss: Shopper, resource: str) -> None:
    assert ask(boss, resource).status_code == 404


@pytest.mark.parametrize("missing", ["reason", "evidence"])
def test_reason_and_evidence_are_needed(boss: Shopper, missing: str) -> None:
    refused = boss.post(
        f"/locks/{RESOURCE}/break",
        data={name: text for name, text in WHY.items() if name != missing},
        content_type="application/json",
    )
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, f"/{missing}")


def test_staff_without_the_permission_break_nothing(hire) -> None:
    eve = hire("eve", "orchestration.view_sagainstance")
    assert ask(eve).status_code == 403
    assert eve.post(f"/locks/{RESOURCE}/break/approve").status_code == 403
    assert eve.get("/locks").status_code == 200
