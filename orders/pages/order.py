"""The page of one order: its lines, its changes, its return requests, and the buttons of what can be done to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import Error
from django.http import HttpRequest
from django.urls import reverse

from orchestration.admin.frame import VIEW_SAGAS
from orchestration.api.problems import Problem
from orchestration.db import clocks
from orchestration.text.formatting import NOTHING, money
from orders.api.change_bodies import ChangeAsked
from orders.api.change_progress import Change, rows_of, shown
from orders.api.change_start import planned
from orders.models import Order, ReturnRequest
from orders.pages.kinds import KINDS, KindOfChange
from orders.selectors import return_requests_of

ADDRESS = ("name", "line1", "line2", "city", "postcode", "country")
LISTED = 50
"""The most changes and return requests that are shown."""


@dataclass(frozen=True)
class ChangeRow:
    """A change as one row of a table. `why` is why it was refused."""

    change: Change
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
    return {
        "order": order,
        "total": money(order.total_minor, order.currency),
        "refunded": money(order.refunded_minor, order.currency),
        "refundable": money(order.refundable_minor, order.currency),
        "address": ", ".join(filter(None, map((order.shipping_address or {}).get, ADDRESS))),
        "lines": [(line, money(line.unit_price_minor, order.currency)) for line in order.lines.all()],
        "buttons": [(meant, _url(order, meant)) for meant in _possible(order) if meant.verb in may],
        "changes": _changes(order),
        "returns": list(_returns(order, may_receive="receive" in may)),
        "may_view_sagas": user.has_perm(VIEW_SAGAS),
    }


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
        found = [shown(order, rows) for rows in rows_of(order.pk).order_by("-id")[:LISTED]]
    except Error:
        return None
    return [
        ChangeRow(
            change=each,
            units=_units([(line.sku, line.quantity) for line in each.lines]),
            money=NOTHING if not each.amount_minor else money(each.amount_minor, order.currency),
            why=each.failure.shown["detail"] if each.failure else "",
            url=reverse("admin:orchestration_sagainstance_change", args=[each.id]),
        )
        for each in found
    ]


def _returns(order: Order, *, may_receive: bool) -> Iterator[ReturnRow]:
    now = clocks.now()
    for each in return_requests_of(order.pk)[:LISTED]:
        state = each.state_at(now)
        is_open = state == ReturnRequest.State.REQUESTED
        url = reverse("admin:orders_return_receive", args=[each.pk]) if is_open and may_receive else ""
        yield ReturnRow(each, state, _units([(line["sku"], line["quantity"]) for line in each.lines]), url)


def _units(lines: list[tuple[str, int]]) -> str:
    return ", ".join(f"{quantity} of {sku}" for sku, quantity in lines) or NOTHING
