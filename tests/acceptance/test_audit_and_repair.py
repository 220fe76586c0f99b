"""Workers that audit by themselves find drift, carry out the repair that a person applies, and see the drift gone."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID

from orchestration.models import ALIAS
from orchestration.models.audit import AuditFinding, AuditRun
from orchestration.operators.audit.apply import Justification, apply
from orchestration.operators.audit.queries import open_findings
from orchestration.operators.audit.violations import violations
from tests.integration.operators.audit import drift
from tests.support.processes import Worker
from tests.support.shop import Shop
from tests.support.wait import wait_for

OFTEN = {"SHOP_AUDIT_PERIOD_SECONDS": "1"}


def _open(saga_id: UUID) -> list[AuditFinding]:
    return list(open_findings().filter(saga_id=saga_id))


def test_drift_is_found_and_repaired_while_orders_are_placed(shop: Shop, start_worker: Callable[..., Worker]) -> None:
    start_worker(threads=8, env=OFTEN)
    start_worker(threads=4, env=OFTEN)
    compensated = shop.place(line2="carrier_refuse")
    assert shop.ended(compensated) == ["compensated"]
    placed = [shop.place(payment_method=method) for method in ("tok_ok", "tok_declined", "tok_slow_0.2") * 15]
    drift.hold_money_again(compensated)
    findings = wait_for(lambda: _open(compensated), what="findings")
    applied = apply(findings[0].pk, Justification("ada", "on the dashboard"), now=datetime.now(UTC))
    assert shop.ended(applied.saga_id, *placed)[0] == "completed"
    wait_for(lambda: not open_findings().exists(), what="an audit that sees nothing any more")
    assert {each.saga_id for each in AuditFinding.objects.using(ALIAS).filter(opened_at__isnull=False)} == {compensated}
    assert AuditFinding.objects.using(ALIAS).get(pk=findings[0].pk).outcome == AuditFinding.Outcome.GONE
    assert violations() == []
    runs = list(AuditRun.objects.using(ALIAS).filter(is_running=False).order_by("pk"))
    assert [each.error for each in runs if each.error] == []
    assert all(before.ended_at and before.ended_at <= after.started_at for before, after in pairwise(runs))
