"""Marks the ledger row of a saga whose effect another saga, a repair, has reversed."""

from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Now

from orchestration.contracts.command import Action
from orchestration.participant.ledger import LedgerRow, Status

_PATHS = {
    Status.STARTED: (Status.UNDOING, Status.UNDONE),
    Status.DONE: (Status.UNDONE,),
    Status.UNDOING: (Status.UNDONE,),
}
"""The statuses through which a row becomes undone."""

NO_MESSAGE = 0
"""The token of a row that no message wrote."""


def mark_reversed(ledger: type[LedgerRow], saga_id: UUID, action: Action) -> bool:
    """Mark the row of this saga's step as undone, through legal statuses. Return whether that changed it.

    Call it first in the transaction that records the reversal: it locks the row until the end. A missing row becomes
    barred.
    """
    rows: QuerySet[LedgerRow] = ledger._default_manager.using(ledger._meta.app_label)
    row = rows.select_for_update().filter(saga_id=saga_id, step=action.step).first()
    if row is None:
        barred = ledger(saga_id=saga_id, step=action.step, status=Status.BARRED, token=NO_MESSAGE)
        barred.history = [Status.BARRED.value]
        rows.bulk_create([barred])
        return True
    path = _PATHS.get(Status(row.status), ())
    if path:
        history = [*row.history, *(status.value for status in path)]
        rows.filter(pk=row.pk).update(status=Status.UNDONE, history=history, changed_at=Now())
    return bool(path)
