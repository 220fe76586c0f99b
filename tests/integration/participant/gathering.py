"""A transaction whose statements are gathered, to try things on."""

from typing import Any

import pytest

from inventory.models import Stock
from orchestration.failpoints import Failpoint, FailpointKind
from orchestration.participant.refusals import Refusal

ALIAS = "inventory"
POINT = Failpoint(FailpointKind.COMMIT, "inventory.test", [])
NUMBER = "INSERT INTO inventory_stock (sku, on_hand, reserved, version) VALUES (%s, 1, 0, 0) RETURNING 1"


class NoLuck(Refusal):
    """It is not to be."""

    code = "no_luck"


def written() -> list[str]:
    return sorted(Stock.objects.values_list("sku", flat=True))


def cause(error: pytest.ExceptionInfo[Any]) -> str | None:
    return getattr(error.value.__cause__, "sqlstate", None)
