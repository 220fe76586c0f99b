"""A forked client: it places orders or cancels one, and dies where its plan says so."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from orchestration.engine import engine
from orchestration.protocol.transitions import TooLate
from tests.faults.paths import PATHS, SKU, Change
from tests.faults.plan import Files
from tests.faults.stages import Stage
from tests.support import order_changes
from tests.support.shop import Shop

_PATHS = {path.name: path for path in PATHS}


def place(files: Files, order: dict[str, Any]) -> None:
    """Start the ordered sagas: (id, path, stage, checkout). Each has its own key, so a repetition changes nothing."""
    for saga, name, stage, checkout in order["sagas"]:
        path = _PATHS[name]
        if stage == Stage.CHECKOUT:
            asked = {"basket": ((SKU, 1),), **path.asked}
            Shop().place(saga_id=UUID(saga), key=saga, now=datetime.now(UTC) - path.age, **asked)
        else:
            change = path.before if stage == Stage.BEFORE else path.change
            assert change
            _change(UUID(saga), UUID(checkout), change)


def _change(saga_id: UUID, checkout_id: UUID, change: Change) -> None:
    lines = [(SKU, change.units)] if change.units else []
    number = change.parcel_number.format(order=checkout_id)
    asked = {"amount_minor": change.amount_minor, "parcel_number": number}
    order_changes.start(checkout_id, change.kind, *lines, saga_id=saga_id, **asked)


def cancel(files: Files, order: dict[str, Any]) -> None:
    """Cancel a saga. It may be too late for that."""
    try:
        engine.cancel_saga(UUID(order["saga"]), now=datetime.now(UTC))
    except TooLate:
        return
