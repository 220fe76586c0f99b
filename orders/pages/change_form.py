"""The form in which staff enter a change of an order."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import uuid4

from django import forms
from django.http import QueryDict

from orchestration.admin.form_fields import RecordedText
from orchestration.contracts.order_changes import ChangeKind, RefundTo
from orchestration.contracts.values import LARGEST_AMOUNT_MINOR, SkuQuantity
from orchestration.text.formatting import minor_digits
from orders.api.change_bodies import LONGEST_PARCEL_NUMBER, ChangeAsked, parcel_number
from orders.change_rules import PlannedChange, to_dispatch, to_return
from orders.models import Order, OrderLine, ReturnRequest

UNITS = "units_"
DESTINATIONS = (
    (RefundTo.PAYMENT.value, "the way it was paid"),
    (RefundTo.CREDIT.value, "the customer's store credit"),
)
_LEFT: Mapping[ChangeKind, Callable[[OrderLine], int]] = {
    ChangeKind.DISPATCH: to_dispatch,
    ChangeKind.RETURN: to_return,
    ChangeKind.REFUND: lambda line: line.quantity,
    ChangeKind.CANCEL: lambda line: 0,
}
"""How many units of a line a change of the kind can name."""


class ChangeForm(forms.Form):
    """What staff enter for a change.

    `key` is the same for every attempt at one change, and `looked_at` identifies the preview that was shown before.
    """

    key = forms.CharField(widget=forms.HiddenInput, max_length=64)
    looked_at = forms.CharField(required=False, widget=forms.HiddenInput)
    parcel_number = forms.CharField(
        required=False,
        max_length=LONGEST_PARCEL_NUMBER,
        validators=[parcel_number],
        label="Carrier's number, if it is not the parcel that was booked",
    )
    amount = forms.DecimalField(required=False)
    refund_to = forms.ChoiceField(choices=DESTINATIONS, initial=RefundTo.PAYMENT.value, label="Give back to")
    reason = RecordedText(widget=forms.Textarea({"rows": 2}), label="Reason, for the record")

    def __init__(
        self, kind: ChangeKind, order: Order, posted: QueryDict | None, return_request: ReturnRequest | None
    ) -> None:
        super().__init__(posted, auto_id="change_%s", label_suffix="", initial={"key": str(uuid4())})
        self.kind = kind
        self.order = order
        self.lines = {f"{UNITS}{line.position}": line for line in order.lines.all() if _LEFT[kind](line)}
        wanted = _units_by_sku(return_request) if return_request else None
        for name, line in self.lines.items():
            self.fields[name] = _units_field(line, kind, wanted)
        self._limit_to_kind()
        self.order_fields([*self.lines, "amount", "refund_to", "parcel_number", "reason"])

    def clean(self) -> dict[str, Any]:
        entered = dict(super().clean() or {})
        units = any(entered.get(name) for name in self.lines)
        if self.kind is ChangeKind.REFUND and units and entered.get("amount"):
            self.add_error("amount", "Enter units or an amount, not both.")
        if self.kind in (ChangeKind.DISPATCH, ChangeKind.RETURN) and not units and not self.errors:
            raise forms.ValidationError("Enter at least one unit.")
        return entered

    @property
    def asked(self) -> ChangeAsked:
        """The change that was entered. Call it when the form is valid, but for the reason."""
        entered = self.cleaned_data
        amount: Decimal | None = entered.get("amount")
        digits = minor_digits(self.order.currency)
        return ChangeAsked(
            self.kind,
            reason=entered.get("reason", ""),
            lines=tuple(SkuQuantity(line.sku, entered[name]) for name, line in self.lines.items() if entered.get(name)),
            amount_minor=None if amount is None else int(amount.scaleb(digits)),
            refund_to=RefundTo(entered.get("refund_to") or RefundTo.PAYMENT),
            parcel_number=entered.get("parcel_number", ""),
        )

    def _limit_to_kind(self) -> None:
        """Remove the fields that changes of other kinds have, and fit the amount to the order's currency."""
        if self.kind is not ChangeKind.DISPATCH:
            del self.fields["parcel_number"]
        if self.kind in (ChangeKind.DISPATCH, ChangeKind.CANCEL):
            del self.fields["amount"]
        if self.kind is ChangeKind.DISPATCH:
            del self.fields["refund_to"]
        if "amount" in self.fields:
            digits = minor_digits(self.order.currency)
            least = Decimal(1).scaleb(-digits)
            most = Decimal(LARGEST_AMOUNT_MINOR).scaleb(-digits)
            self.fields["amount"] = forms.DecimalField(
                required=False,
                min_value=least,
                max_value=most,
                decimal_places=digits,
                label=f"Amount in {self.order.currency}, if it is not the price of the units",
            )


def signature_of(asked: ChangeAsked, planned: PlannedChange) -> str:
    """Return a signature of what was entered besides the reason, and of what it would do."""
    lines = [(line.pk, units) for line, units in planned.moves]
    details = (asked.kind, asked.lines, asked.amount_minor, asked.refund_to, asked.parcel_number)
    return sha256(repr((details, lines, planned.refund_minor)).encode()).hexdigest()[:16]


def _units_field(line: OrderLine, kind: ChangeKind, wanted: dict[str, int] | None) -> forms.IntegerField:
    left = _LEFT[kind](line)
    initial = left if kind is ChangeKind.DISPATCH else None
    if wanted is not None:
        initial = min(left, wanted.get(line.sku, 0))
        wanted[line.sku] = wanted.get(line.sku, 0) - initial
    return forms.IntegerField(
        required=False, min_value=0, max_value=left, initial=initial, label=f"{line.sku}: units, of {left}"
    )


def _units_by_sku(return_request: ReturnRequest) -> dict[str, int]:
    lines: list[Mapping[str, Any]] = return_request.lines
    return {line["sku"]: line["quantity"] for line in lines}
