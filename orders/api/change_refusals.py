"""The refusals of changes of an order as problem documents: at once, or by the saga."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from orchestration.api.problems import FieldError, Problem
from orchestration.contracts.order_changes import ORDER
from orchestration.contracts.values import SkuQuantity
from orders.api.representations import amount


class OrderBusy(Problem):
    """Another change of this order is under way. Ask again later, with a new Idempotency-Key."""

    status = HTTPStatus.CONFLICT
    code = "order_busy"


class AlreadyDispatchedProblem(Problem):
    """A parcel of the order was handed over to the carrier. It can be sent back instead."""

    status = HTTPStatus.CONFLICT
    code = "already_dispatched"


class OrderCancelledProblem(Problem):
    """The order is cancelled."""

    status = HTTPStatus.CONFLICT
    code = "order_cancelled"


class NothingLeftProblem(Problem):
    """Nothing of the order is left for such a change."""

    status = HTTPStatus.CONFLICT
    code = "nothing_left"


class ReturnEnded(Problem):
    """The return request has expired, or its parcel was received or refused before."""

    status = HTTPStatus.CONFLICT
    code = "too_late"


class NoSuchReturn(Problem):
    """There is no such return request."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class RefundExceedsPaidProblem(Problem):
    """This is more than what is left of the order's money; `refundable` is what is left."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "refund_exceeds_paid"


class QuantityExceedsOrderedProblem(Problem):
    """The order has fewer units for such a change."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "quantity_exceeds_ordered"


class UnknownSkuProblem(Problem):
    """The order has no line with this SKU."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "unknown_sku"


class ParcelNumberNeeded(Problem):
    """No parcel was booked for this order: give the `parcel_number`."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "no_parcel"


class ParcelNumberTakenProblem(Problem):
    """Another parcel has this number: give the `parcel_number` of the parcel that was handed over."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "parcel_number_taken"


class ChangeRefused(Problem):
    """The change was refused; `refusal` is why, for programs."""

    status = HTTPStatus.CONFLICT
    code = "change_refused"


PROBLEMS: Mapping[str, type[Problem]] = {
    "resource_busy": OrderBusy,
    "already_dispatched": AlreadyDispatchedProblem,
    "already_handed_over": AlreadyDispatchedProblem,
    "order_cancelled": OrderCancelledProblem,
    "parcel_stopped": OrderCancelledProblem,
    "nothing_left": NothingLeftProblem,
    "too_late": ReturnEnded,
    "unknown_return": NoSuchReturn,
    "refund_exceeds_paid": RefundExceedsPaidProblem,
    "quantity_exceeds_ordered": QuantityExceedsOrderedProblem,
    "quantity_exceeds_dispatched": QuantityExceedsOrderedProblem,
    "unknown_sku": UnknownSkuProblem,
    "no_parcel": ParcelNumberNeeded,
    "parcel_number_taken": ParcelNumberTakenProblem,
}
"""The problem of each refusal, by the refusal's code. Customers see the code of the problem."""


@dataclass(frozen=True)
class ChangeFailure:
    """Why a change was not made. `lines` and `currency` are those of the change.

    `is_refusal` is False if no service refused it: its deadline passed, or the shop's staff ended it.
    """

    code: str
    detail: str
    facts: Mapping[str, Any]
    lines: Sequence[SkuQuantity]
    currency: str
    is_refusal: bool = True

    @property
    def shown(self) -> dict[str, str]:
        """The code and the sentence for customers."""
        kind = PROBLEMS.get(self.code)
        return {"code": kind.code, "detail": kind.__doc__ or ""} if kind else {"code": self.code, "detail": self.detail}

    def problem(self, **headers: str) -> Problem:
        """Return the problem document of the refusal. It never names another change, even if the refusal does."""
        kind = PROBLEMS.get(self.code, ChangeRefused)
        if kind is OrderBusy:
            headers |= {"Retry-After": str(int(ORDER.patience.total_seconds()))}
        if kind is ChangeRefused:
            return kind(self.detail, headers=headers, refusal=self.code)
        return kind(headers=headers, errors=self._errors(kind), **self._money(kind))

    def _errors(self, kind: type[Problem]) -> list[FieldError]:
        """Return the member of the body that is at fault, if one is."""
        index = next((index for index, line in enumerate(self.lines) if line.sku == self.facts.get("sku")), None)
        line = "/lines" if index is None else f"/lines/{index}"
        at_fault = {
            UnknownSkuProblem: (f"{line}/sku", self.detail),
            QuantityExceedsOrderedProblem: (f"{line}/quantity", f"{self.facts.get('left', 0)} are left."),
            RefundExceedsPaidProblem: ("/amount", "This is more than what is left."),
            ParcelNumberNeeded: ("/parcel_number", self.detail),
            ParcelNumberTakenProblem: ("/parcel_number", self.detail),
        }
        return [FieldError(at_fault[kind][0], kind.code, at_fault[kind][1])] if kind in at_fault else []

    def _money(self, kind: type[Problem]) -> dict[str, Any]:
        if kind is not RefundExceedsPaidProblem:
            return {}
        return {"refundable": amount(self.facts.get("refundable", 0), self.currency)}
