"""A forked client: it places orders or cancels one, and dies where its plan says so."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from orchestration.engine import engine
from orchestration.protocol.transitions import TooLate
from tests.faults.paths import PATHS, SKU
from tests.faults.plan import Files
from tests.support.shop import Shop

_PATHS = {path.name: path for path in PATHS}


def place(files: Files, order: dict[str, Any]) -> None:
    """Place the ordered sagas, (id, path) pairs. Each has its own key, so that a repetition changes nothing."""
    for saga, name in order["sagas"]:
        path = _PATHS[name]
        asked = {"basket": ((SKU, 1),), **path.asked}
        Shop().place(saga_id=UUID(saga), key=saga, now=datetime.now(UTC) - path.age, **asked)


def cancel(files: Files, order: dict[str, Any]) -> None:
    """Cancel a saga. It may be too late for that."""
    try:
        engine.cancel_saga(UUID(order["saga"]), now=datetime.now(UTC))
    except TooLate:
        return
