"""Sagas whole, as they were at the ends of short stories; nothing is kept anywhere."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from inventory.models import Ledger as InventoryLedger
from orchestration.models import SagaInstance, SagaLogEntry
from orchestration.operators.insight.saga_view import SagaView
from orchestration.participant.ledger import LedgerRow
from orchestration.protocol.states import LEADS_TO, Kind

BEGAN = datetime(2026, 3, 1, 14, 2, 11, tzinfo=UTC)
TIMEOUT = {"class": "GatewayTimeout", "message": "no answer within 1 s"}

Line = tuple[float, Kind, str, Mapping[str, Any]]
"""Seconds after the saga began, what happened, to which step, and what the log says of it."""


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def line(seconds: float, kind: Kind, step: str = "", **detail: Any) -> Line:
    return seconds, kind, step, detail


def saga_view_of(
    lines: Iterable[Line], *, ledgers: Mapping[str, list[LedgerRow] | None] | None = None, **columns: Any
) -> SagaView:
    """A saga with this log; its row says what `columns` say."""
    usual = {"id": UUID(int=7), "definition": "checkout.v1", "phase": "running", "created_at": BEGAN}
    times = {"dispatched_at": BEGAN, "deadline_at": at(900), "changed_at": BEGAN}
    instance = SagaInstance(**usual | times | columns)
    log, phase = [], "running"
    for sequence, (seconds, kind, step, detail) in enumerate(lines, 1):
        phase = LEADS_TO.get(kind, phase)
        log.append(SagaLogEntry(sequence=sequence, kind=kind, step=step, phase=phase, detail=detail, at=at(seconds)))
    return SagaView(instance, log, [], ledgers or {})


COMPLETED = saga_view_of(
    [
        line(0, Kind.STARTED),
        line(0.031, Kind.DONE, "reserve_stock"),
        line(1.05, Kind.FAILED, "authorise_payment", **TIMEOUT),
        line(3.4, Kind.SENT, what="forward"),
        line(3.62, Kind.DONE, "authorise_payment"),
        line(3.81, Kind.DONE, "schedule_shipment"),
        line(3.84, Kind.DONE, "place_order"),
        line(4.02, Kind.DONE, "capture_payment"),
        line(4.05, Kind.COMPLETED),
    ],
    phase="completed",
    ended_at=at(4.05),
    in_flight=False,
)
COMPENSATED = saga_view_of(
    [
        line(0, Kind.STARTED),
        line(0.03, Kind.DONE, "reserve_stock"),
        line(0.21, Kind.DONE, "authorise_payment"),
        line(0.4, Kind.REFUSED, "schedule_shipment", code="cannot_deliver", detail="Not <there> & nowhere."),
        line(0.4, Kind.SENT, what="undo"),
        line(1.5, Kind.FAILED, "authorise_payment", **TIMEOUT),
        line(1.5, Kind.SENT, what="undo"),
        line(1.6, Kind.UNDONE, "reserve_stock"),
        line(4.1, Kind.SENT, what="undo"),
        line(4.4, Kind.UNDONE, "authorise_payment"),
        line(4.4, Kind.COMPENSATED),
    ],
    phase="compensated",
    ended_at=at(4.4),
    in_flight=False,
)


def parked(tries: int = 12) -> SagaView:
    """The capture failed so often, ever less often, and then was parked."""
    lines = [
        line(0, Kind.STARTED),
        line(0.03, Kind.DONE, "reserve_stock"),
        line(0.2, Kind.DONE, "authorise_payment"),
        line(0.4, Kind.DONE, "schedule_shipment"),
        line(0.43, Kind.DONE, "place_order"),
        line(0.43, Kind.PIVOT_DONE, "place_order"),
    ]
    seconds = 0.43
    for number in range(tries):
        seconds += 1
        lines.append(line(seconds, Kind.FAILED, "capture_payment", **TIMEOUT))
        if number < tries - 1:
            seconds += min(2.0**number * 3, 300)
            lines.append(line(seconds, Kind.SENT, what="forward"))
    lines.append(line(seconds, Kind.PARKED, "capture_payment", **TIMEOUT))
    return saga_view_of(
        lines,
        phase="finishing",
        in_flight=False,
        parked=True,
        failing_step="capture_payment",
        progress={"parked": ["capture_payment"]},
    )


RUNNING = saga_view_of(
    [
        line(0, Kind.STARTED),
        line(0.031, Kind.DONE, "reserve_stock"),
        line(0.5, Kind.WAITING, "authorise_payment", **{"class": "BreakerOpen", "message": "breaker is open"}),
        line(30.7, Kind.SENT, what="forward"),
    ],
    dispatched_at=at(30.7),
    due_at=at(90),
    progress={"done": ["reserve_stock"]},
    ledgers={
        "payments": [InventoryLedger(step="authorise_payment", status="done", changed_at=at(31.2))],
        "shipping": [InventoryLedger(step="schedule_shipment", status="started", changed_at=at(31.3))],
    },
)
RETRYING = saga_view_of(
    [
        line(0, Kind.STARTED),
        line(0.031, Kind.DONE, "reserve_stock"),
        line(1.5, Kind.FAILED, "authorise_payment", **TIMEOUT),
    ],
    in_flight=False,
    due_at=at(6),
    failing_step="authorise_payment",
    failed_tries=1,
    progress={"done": ["reserve_stock"]},
)
EVERY = {
    "completed": (COMPLETED, at(60)),
    "compensated": (COMPENSATED, at(60)),
    "parked": (parked(), at(4000)),
    "running": (RUNNING, at(33)),
    "retrying": (RETRYING, at(3)),
    "just begun": (saga_view_of([line(0, Kind.STARTED)], due_at=at(60)), at(0)),
    "unknown": (saga_view_of([line(0, Kind.STARTED), line(1, Kind.DONE, "<b>")], definition="checkout.v0"), at(2)),
}
