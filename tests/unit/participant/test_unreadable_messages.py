"""A step message that could not be passed on is refused before its step runs."""

from typing import Any
from uuid import UUID

import pytest

from orchestration.contracts.codec import Malformed
from orchestration.messaging.canvas import Message
from orchestration.participant.executor import read

IDS = {"saga_id": str(UUID(int=7)), "step": "reserve_stock", "token": 1}


@pytest.mark.parametrize(
    ("context", "ids"),
    [
        ({"known": [["sku", "MUG"]], "trail": []}, IDS),
        ({"known": {}, "trail": 7}, IDS),
        ({"known": {}, "trail": []}, IDS | {"token": float("inf")}),
    ],
    ids=["facts as pairs", "completed steps that are no list", "endless token"],
)
def test_message_that_no_chain_has_written_is_malformed(context: Any, ids: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        read(Message("inventory.reserve_stock", "1", "1", [context], ids))
