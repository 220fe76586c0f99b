"""The page of one order: its lines, its changes, its return requests, and the buttons of what can be done to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import Error
from django.http import HttpRequest
from django.urls import reverse

from orchestration.admin.frame import VIEW_SAGAS
from orchestration.api.problems import Problem
from orchestration.contracts.order_changes import ORDER
from orchestration.db import clocks
from orchestration.models import SagaInstance
from orchestration.protocol.states import ENDED
from orchestration.text.formatting import NOTHING, money, span
from orders.api.change_bodies import ChangeAsked
from orders.api.change_progress import Change, rows_of, shown
from orders.api.change_start import planned
from orders.models import Order, OrderChange, ReturnRequest
from orders.pages.kinds import KINDS, KindOfChange
from orders.selectors import changes_of, return_requests_of

ADDRESS = ("name", "line1", "line2", "city", "postcode", "country")
LISTED = 50
"""The most changes and return requests that are shown."""
UNDER_WAY, WAITS_FOR_STAFF = "under_way", "waits_for_staff"
"""How a change is shown whose saga has not ended, whatever customers see: they see its decision."""


@dataclass(frozen=True)
class ChangeRow:
    """A change as one row of a table. `why` is why it was refused."""

    change: Change
    state: str
    units: str
    money: str
    why: str
    url: str


@dataclass(frozen=True)
class ReturnRow:
    """A return request as one row of a table. `url` is where its parcel is received; empty if it cannot be."""

    request: ReturnRequest
    state: str
    units: str
    url: str


def order_page(order: Order, request: HttpRequest) -> dict[str, Any]:
    """Return what the page shows. `changes` is None if the orchestrator's database does not answer."""
    user: Any = request.user
    may = {verb for verb, meant in KINDS.items() if user.has_perm(meant.permission)}
    changes, holder = _changes(order), changes_of(order.pk).filter(state=OrderChange.State.OPEN).first()
    return {
        "order": order,
        "total": money(order.total_minor, order.currency),
        "paid": _paid(order),
        "refunded": money(order.refunded_minor, order.currency),
        "refundable": money(order.refundable_minor, order.currency),
        "address": ", ".join(filter(None, map((order.shipping_address or {}).get, ADDRESS))),
        "lines": [(line, money(line.unit_price_minor, order.currency)) for line in order.lines.all()],
        "buttons": [(meant, _url(order, meant)) for meant in _possible(order) if meant.verb in may],
        "holder": holder,
        "holder_url": holder and _saga_url(holder.pk),
        "patience": span(ORDER.patience),
        "changes": changes,
        "is_settled": changes is not None and all(row.state not in (UNDER_WAY, WAITS_FOR_STAFF) for row in changes),
        "returns": list(_returns(order, may_receive="receive" in may)),
        "may_view_sagas": user.has_perm(VIEW_SAGAS),
    }


def _paid(order: Order) -> dict[str, str]:
    """Return what the order cost and how that was paid, by what each amount is called."""
    coupon = f" by {order.coupon}" if order.coupon else ""
    amounts = {
        "Sum of the lines": order.total_minor + order.discount_minor,
        f"Discount{coupon}": order.discount_minor,
        "Paid by store credit": order.credit_minor,
        "Paid by card": order.total_minor - order.credit_minor,
    }
    return {name: money(amount, order.currency) for name, amount in amounts.items()}


def _possible(order: Order) -> Iterator[KindOfChange]:
    """Yield the kinds of changes that the order allows now. A return begins with its request."""
    for verb, meant in KINDS.items():
        if verb != "receive":
            try:
                planned(order, ChangeAsked(meant.kind), None, clocks.now())
            except Problem:
                continue
            yield meant


def _url(order: Order, meant: KindOfChange) -> str:
    return reverse("admin:orders_order_new_change", args=[order.pk, meant.verb])


def _changes(order: Order) -> list[ChangeRow] | None:
    try:
        found = [(shown(order, rows), rows.saga) for rows in rows_of(order.pk).order_by("-id")[:LISTED]]
    except Error:
        return None
    return [
        ChangeRow(
            change=each,
            state=_state(each, saga),
            units=_units([(line.sku, line.quantity) for line in each.lines]),
            money=NOTHING if not each.amount_minor else money(each.amount_minor, order.currency),
            why=each.failure.shown["detail"] if each.failure else "",
            url=_saga_url(each.id),
        )
        for each, saga in found
    ]


def _state(change: Change, saga: SagaInstance | None) -> str:
    if saga is None or saga.phase in ENDED:
        return change.status
    return WAITS_FOR_STAFF if saga.parked or saga.paused else UNDER_WAY


def _saga_url(saga_id: UUID) -> str:
    return reverse("admin:orchestration_sagainstance_change", args=[saga_id])


def _returns(order: Order, *, may_receive: bool) -> Iterator[ReturnRow]:
    now = clocks.now()
    for each in return_requests_of(order.pk)[:LISTED]:
        state = each.state_at(now)
        is_open = state == ReturnRequest.State.REQUESTED
        url = reverse("admin:orders_return_receive", args=[each.pk]) if is_open and may_receive else ""
        yield ReturnRow(each, state, _units([(line["sku"], line["quantity"]) for line in each.lines]), url)


def _units(lines: list[tuple[str, int]]) -> str:
    return ", ".join(f"{quantity} of {sku}" for sku, quantity in lines) or NOTHING
