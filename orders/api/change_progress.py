"""The state of a change of an order, from its saga while there is one, and from the row of orders."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import Error

from orchestration.api.pagination import MergedRows
from orchestration.contracts.codec import decode
from orchestration.contracts.order_changes import ChangeKind, ChangeRequested, RefundTo
from orchestration.contracts.values import SkuQuantity
from orchestration.engine import bulk_reads, selectors
from orchestration.engine.selectors import StepProgress
from orchestration.models import SagaInstance
from orchestration.protocol.states import UNDOING, Phase
from orchestration.sagas import definition_of
from orchestration.sagas import definitions as registered
from orders.api.change_refusals import ChangeFailure
from orders.api.progress import decided_at
from orders.models import Order, OrderChange
from orders.selectors import changes_of

PROCESSING, CONFIRMED, FAILED = "processing", "confirmed", "failed"
_STATUSES = {
    OrderChange.State.OPEN: PROCESSING,
    OrderChange.State.CLOSED: CONFIRMED,
    OrderChange.State.DROPPED: FAILED,
    OrderChange.State.SUPERSEDED: PROCESSING,
}
"""The status of a change by the state of its row, when its saga was purged."""


@dataclass(frozen=True)
class Change:
    """The current state of a change. `amount_minor` is None while it is not known how much is given back.

    `steps` and `decided_at` are there only when the change was read alone.
    """

    id: UUID
    order: Order
    kind: ChangeKind
    status: str
    lines: Sequence[SkuQuantity]
    amount_minor: int | None
    refund_to: RefundTo | None
    parcel_number: str
    return_id: UUID | None
    reason: str
    requested_by: str
    created_at: datetime
    failure: ChangeFailure | None = None
    steps: Sequence[StepProgress] = ()
    decided_at: datetime | None = None


@dataclass(frozen=True)
class ChangeRows:
    """What is stored of a change: its saga until that is purged, and its row at orders from when it was opened."""

    id: UUID
    saga: SagaInstance | None
    row: OrderChange | None


def change_of(order: Order, change_id: UUID) -> Change | None:
    """Return a change of the order with its steps, or None when the order has no such change."""
    reading = bulk_reads.read(change_id)
    row = changes_of(order.pk).filter(id=change_id).first()
    if reading is None or reading.instance.order_id != order.pk or not _is_change(reading.instance):
        return shown(order, ChangeRows(change_id, None, row)) if row else None
    saga = reading.instance
    log = selectors.log_of(saga.pk) if reading.log is None else reading.log
    steps = selectors.progress(saga, log, reading.ledgers)
    change = shown(order, ChangeRows(change_id, saga, row))
    return replace(change, steps=steps, decided_at=decided_at(saga, change.status, steps, log))


def decided_change(order: Order, change_id: UUID) -> Change | None:
    """Return the change if it is decided, else None. Also return None when a database fails: the change is accepted."""
    with suppress(Error):
        change = change_of(order, change_id)
        return change if change and change.status != PROCESSING else None
    return None


def rows_of(order_id: UUID) -> MergedRows[ChangeRows]:
    """Return what is stored of each change of the order, for pages."""
    definitions = [saga.name for saga in registered.values() if saga.request is ChangeRequested]
    return MergedRows(_merged, (selectors.sagas_of_order(order_id, definitions), changes_of(order_id)))


def shown(order: Order, rows: ChangeRows) -> Change:
    """Return the change as it is stored, without steps.

    :raises django.db.Error: when it cannot be read whether it is decided.
    """
    if rows.saga is None:
        assert rows.row is not None
        return _of_row(order, rows.row)
    asked = decode(ChangeRequested, rows.saga.request)
    status = _status_of(rows.saga)
    opened = rows.row
    return Change(
        id=rows.id,
        order=order,
        kind=asked.kind,
        status=status,
        lines=_lines(opened) if opened else asked.lines,
        amount_minor=opened.amount_minor if opened else asked.amount_minor,
        refund_to=asked.refund_to,
        parcel_number=asked.parcel_number,
        return_id=asked.return_id,
        reason=asked.reason,
        requested_by=asked.requested_by,
        created_at=rows.saga.created_at,
        failure=_failure(rows.saga, asked) if status == FAILED else None,
    )


def _of_row(order: Order, row: OrderChange) -> Change:
    return Change(
        id=row.pk,
        order=order,
        kind=ChangeKind(row.kind),
        status=_STATUSES[OrderChange.State(row.state)],
        lines=_lines(row),
        amount_minor=row.amount_minor,
        refund_to=None,
        parcel_number="",
        return_id=row.return_request_id,
        reason=row.reason,
        requested_by=row.requested_by,
        created_at=row.opened_at,
    )


def _status_of(saga: SagaInstance) -> str:
    """Return the public status. A decision is shown at once, also while its consequences are being carried out."""
    if Phase(saga.phase) in UNDOING:
        return FAILED
    return CONFIRMED if selectors.pivot_is_done(saga) else PROCESSING


def _failure(saga: SagaInstance, asked: ChangeRequested) -> ChangeFailure:
    failure = saga.failure or {}
    return ChangeFailure(
        failure.get("code", ""),
        failure.get("detail", ""),
        failure.get("facts", {}),
        asked.lines,
        asked.currency,
        asked.amount_minor,
        is_refusal="refused" in failure,
    )


def _lines(row: OrderChange) -> list[SkuQuantity]:
    return [SkuQuantity(**line) for line in row.lines]


def _is_change(saga: SagaInstance) -> bool:
    return definition_of(saga.definition).request is ChangeRequested


def _merged(change_id: UUID, found: Sequence[Any]) -> ChangeRows:
    saga, row = found
    return ChangeRows(change_id, saga, row)
