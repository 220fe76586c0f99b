"""A service that only this module knows joins the audit by what it hands over when it registers."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
from django.db import connections

from orchestration.contracts.audit import Checked, StepEffect
from orchestration.contracts.command import Action
from orchestration.operators.audit import schedule
from orchestration.operators.audit.findings import Findings
from orchestration.operators.audit.queries import open_findings
from orchestration.operators.audit.violations import audit
from orchestration.participant import participant as registered
from orchestration.participant.audit import AuditedRows, ServiceAudit
from orchestration.participant.ledger import LedgerRow
from orchestration.participant.participant import Participant
from orchestration.participant.selection import Selection
from tests.integration.operators.audit.conftest import Found


class GiftLedger(LedgerRow):
    class Meta(LedgerRow.Meta):
        app_label = "gifts"
        db_table = "gifts_ledger"


@dataclass(frozen=True)
class WrapGift:
    saga_id: UUID


@dataclass(frozen=True)
class GiftFacts:
    ribbons: int = 1
    is_unwrapped: bool = False


wrap_gift = Action("gifts.wrap_gift", request=WrapGift)


@dataclass
class Gifts:
    """The fifth service: its gifts are in memory, its ledger is in a database that its alias names."""

    wrapped: dict[UUID, GiftFacts] = field(default_factory=dict)

    def participant(self) -> Participant:
        rows = AuditedRows(
            facts=GiftFacts,
            kind="gift",
            action=wrap_gift,
            read=self.read,
            effect=lambda gift: StepEffect.REVERSED if gift.is_unwrapped else StepEffect.LIVE,
            leftover=lambda gift: "" if gift.is_unwrapped else "there is a wrapped gift",
            check=self.check,
        )
        own = ServiceAudit(rows=(rows,), invariants={"G1": "a gift has a ribbon"})
        return Participant("gifts", GiftLedger, {wrap_gift: lambda request: None}, audit=own)

    def read(self, chosen: Selection) -> Mapping[UUID, GiftFacts]:
        return self.wrapped

    def check(self, gifts: Mapping[UUID, GiftFacts]) -> Iterable[Checked]:
        for saga_id, gift in gifts.items():
            yield Checked("G1", () if gift.ribbons else ("The gift has no ribbon.",), {"saga": saga_id})

    def remember(self, saga_id: UUID, status: str) -> None:
        row = GiftLedger(saga_id=saga_id, step=wrap_gift.step, status=status, history=[status], token=1)
        row.save(using="gifts")


@pytest.fixture
def gifts(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gifts]:
    """The fifth service; its database is inventory's, by another alias."""
    connections["gifts"] = connections["inventory"].copy("gifts")
    gifts = Gifts()
    monkeypatch.setitem(registered._participants, "gifts", gifts.participant())
    with connections["gifts"].schema_editor() as editor:
        editor.create_model(GiftLedger)
    yield gifts
    with connections["gifts"].schema_editor() as editor:
        editor.delete_model(GiftLedger)
    connections["gifts"].close()
    connections["gifts"].close_pool()  # type: ignore[attr-defined]
    del connections["gifts"]


def test_effect_that_its_ledger_does_not_know_is_found(completed: UUID, gifts: Gifts, found: Found) -> None:
    gifts.wrapped[completed] = GiftFacts()
    assert found("A4") == ["wrap_gift has an effect, and its ledger row does not exist."]


def test_ledger_row_without_its_effect_is_found(completed: UUID, gifts: Gifts, found: Found) -> None:
    gifts.remember(completed, "done")
    assert found("A4") == ["wrap_gift has no effect, and its ledger row is done."]


def test_effect_that_its_ledger_knows_is_none(completed: UUID, gifts: Gifts, found: Found) -> None:
    gifts.wrapped[completed] = GiftFacts()
    gifts.remember(completed, "done")
    assert found("A4") == []


def test_ledger_row_with_an_illegal_history_is_found(completed: UUID, gifts: Gifts, found: Found) -> None:
    gifts.remember(completed, "undone")
    assert found("A3") == ["wrap_gift: the ledger row went from nothing to undone."]


def test_row_without_a_saga_is_found(completed: UUID, gifts: Gifts, found: Found) -> None:
    gifts.wrapped[uuid4()] = GiftFacts()
    assert found("Q6") == ["There is no saga to this gift."]


def test_what_a_compensated_checkout_left_behind_is_found(compensated: UUID, gifts: Gifts, found: Found) -> None:
    gifts.wrapped[compensated] = GiftFacts()
    assert found("Q3") == ["The saga is compensated, and there is a wrapped gift."]
    gifts.wrapped[compensated] = GiftFacts(is_unwrapped=True)
    assert found("Q3") == []


def test_invariant_of_its_own_is_counted_and_its_violation_is_found(completed: UUID, gifts: Gifts) -> None:
    gifts.wrapped[completed] = GiftFacts(ribbons=0)
    gifts.remember(completed, "done")
    findings: Findings = audit()
    assert findings.checked["G1"] == 1
    assert [each.message for each in findings.violations if each.invariant == "G1"] == ["The gift has no ribbon."]


def test_periodic_audit_opens_what_it_finds(completed: UUID, gifts: Gifts) -> None:
    gifts.wrapped[completed] = GiftFacts(ribbons=0)
    assert schedule.run_once() is not None
    opened = {each.invariant for each in open_findings()}
    assert {"A4", "G1"} <= opened
