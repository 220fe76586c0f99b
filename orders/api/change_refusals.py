"""The refusals of changes of an order as problem documents: at once, or by the saga."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from orchestration.api.problems import FieldError, Problem
from orchestration.contracts.order_changes import ORDER
from orchestration.contracts.values import SkuQuantity
from orders.api.representations import amount


class ChangeRefused(Problem):
    """The change was refused; `refusal` is why, for programs."""

    status = HTTPStatus.CONFLICT
    code = "change_refused"


@dataclass(frozen=True)
class ShownRefusal:
    """How clients see a refusal. `pointer` names the member of the body that is at fault, if one is.

    `/lines` in the pointer stands for the line with the refused SKU. `/amount` is `/lines` if no amount was sent.
    """

    code: str
    status: HTTPStatus
    sentence: str
    pointer: str = ""

    def problem(self, **more: Any) -> Problem:
        """Return the problem document. `more` is what `Problem` takes: errors, headers and facts."""
        problem = ChangeRefused(self.sentence, **more)
        problem.document = replace(problem.document, code=self.code, status=self.status, title=self.sentence)
        return problem


DISPATCHED = ShownRefusal(
    "already_dispatched",
    HTTPStatus.CONFLICT,
    "A parcel of the order was handed over to the carrier. It can be sent back instead.",
)
ENDED = ShownRefusal(
    "too_late",
    HTTPStatus.CONFLICT,
    "The return request has expired, or its parcel was received or refused before.",
)
ORDER_CANCELLED = ShownRefusal("order_cancelled", HTTPStatus.CONFLICT, "The order is cancelled.")
TOO_MANY = ShownRefusal(
    "quantity_exceeds_ordered",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "The order has fewer units for such a change.",
    "/lines/quantity",
)
UNKNOWN_RETURN = ShownRefusal("not_found", HTTPStatus.NOT_FOUND, "There is no such return request.")

REFUSALS: Mapping[str, ShownRefusal] = {
    "resource_busy": ShownRefusal(
        "order_busy",
        HTTPStatus.CONFLICT,
        "Another change of this order is under way. Ask again later, with a new Idempotency-Key.",
    ),
    "already_dispatched": DISPATCHED,
    "already_handed_over": DISPATCHED,
    "order_cancelled": ORDER_CANCELLED,
    "parcel_stopped": ORDER_CANCELLED,
    "nothing_left": ShownRefusal(
        "nothing_left", HTTPStatus.CONFLICT, "Nothing of the order is left for such a change."
    ),
    "too_late": ENDED,
    "unknown_return": UNKNOWN_RETURN,
    "refund_exceeds_paid": ShownRefusal(
        "refund_exceeds_paid",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "This is more than what is left of the order's money; `refundable` is what is left.",
        "/amount",
    ),
    "quantity_exceeds_ordered": TOO_MANY,
    "quantity_exceeds_dispatched": TOO_MANY,
    "unknown_sku": ShownRefusal(
        "unknown_sku", HTTPStatus.UNPROCESSABLE_ENTITY, "The order has no line with this SKU.", "/lines/sku"
    ),
    "no_parcel": ShownRefusal(
        "no_parcel",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "No parcel was booked for this order: give the `parcel_number`.",
        "/parcel_number",
    ),
    "parcel_number_taken": ShownRefusal(
        "parcel_number_taken",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Another parcel has this number: give the `parcel_number` of the parcel that was handed over.",
        "/parcel_number",
    ),
}
"""How each refusal is shown, by the refusal's code. A refusal that is not here is shown as `change_refused`."""


@dataclass(frozen=True)
class ChangeFailure:
    """Why a change was not made. `lines`, `currency` and `amount_minor` are those that the change was asked for with.

    `is_refusal` is False if no service refused it: its deadline passed, or the shop's staff ended it.
    """

    code: str
    detail: str
    facts: Mapping[str, Any]
    lines: Sequence[SkuQuantity]
    currency: str
    amount_minor: int | None = None
    is_refusal: bool = True

    @property
    def shown(self) -> dict[str, str]:
        """The code and the sentence for customers."""
        known = REFUSALS.get(self.code)
        return {"code": known.code if known else self.code, "detail": known.sentence if known else self.detail}

    def problem(self, **headers: str) -> Problem:
        """Return the problem document of the refusal. It never names another change, even if the refusal does."""
        known = REFUSALS.get(self.code)
        if known is None:
            return ChangeRefused(self.detail, headers=headers, refusal=self.code)
        if self.code == "resource_busy":
            headers |= {"Retry-After": str(int(ORDER.patience.total_seconds()))}
        return known.problem(headers=headers, errors=self._errors(known), **self._money())

    def _errors(self, known: ShownRefusal) -> list[FieldError]:
        """Return the member of the body that is at fault, if one is."""
        if not known.pointer:
            return []
        at_fault = "/lines" if known.pointer == "/amount" and self.amount_minor is None else known.pointer
        index = next((index for index, line in enumerate(self.lines) if line.sku == self.facts.get("sku")), None)
        pointer = at_fault if index is None else at_fault.replace("/lines", f"/lines/{index}")
        detail = f"{self.facts['left']} are left." if "left" in self.facts else self.detail
        return [FieldError(pointer, known.code, detail)]

    def _money(self) -> dict[str, Any]:
        left = self.facts.get("refundable")
        return {} if left is None else {"refundable": amount(left, self.currency)}
