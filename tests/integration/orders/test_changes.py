"""Changes of placed orders at orders: what they set aside, refuse, give back and leave behind."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from orchestration.contracts.codec import encode
from orchestration.contracts.order_changes import ApproveRefund, ChangeKind, OpenChange, open_change
from orchestration.contracts.values import Line, SkuQuantity
from orchestration.participant.ledger_store import Call
from orchestration.participant.outcomes import Done, Refused
from orchestration.participant.refusals import Refusal
from orchestration.testing import step_runner
from orders import changes
from orders.models import Order, OrderChange, OrderLine, ReturnRequest
from orders.returns import refuse_return, request_return
from orders.tasks import participant
from tests.support.placed_orders import change_of, changed, closed, dropped, opened, placed, read

pytestmark = pytest.mark.django_db(transaction=True, databases=["orders"])

DISPATCH, CANCEL, REFUND, RETURN = ChangeKind.DISPATCH, ChangeKind.CANCEL, ChangeKind.REFUND, ChangeKind.RETURN


def units(order: Order) -> list[tuple[str, int, int]]:
    return [(line.sku, line.dispatched, line.returned) for line in order.lines.all()]


def refusal_of(request: OpenChange) -> Refusal:
    with pytest.raises(Refusal) as caught, transaction.atomic(using="orders"):
        changes.open_change(request)
    assert not OrderChange.objects.filter(id=request.saga_id).exists()
    return caught.value


def test_an_order_is_dispatched_in_parts() -> None:
    order_id = placed()
    changed(order_id, DISPATCH, ("MUG", 1))
    order = read(order_id)
    assert (order.status, units(order)) == ("partly_dispatched", [("MUG", 1, 0), ("CUP", 0, 0)])

    request = changed(order_id, DISPATCH)
    order = read(order_id)
    assert (order.status, units(order)) == ("dispatched", [("MUG", 2, 0), ("CUP", 1, 0)])
    assert order.changes.get(id=request.saga_id).lines == [
        {"sku": "MUG", "quantity": 1},
        {"sku": "CUP", "quantity": 1},
    ]


def test_units_of_a_change_count_at_once_and_the_status_at_its_end() -> None:
    order_id = placed()
    request = opened(order_id, DISPATCH, ("MUG", 2))
    assert (read(order_id).status, units(read(order_id))[0]) == ("confirmed", ("MUG", 2, 0))
    closed(request)
    assert read(order_id).status == "partly_dispatched"


def test_a_cancelled_order_gives_back_all_that_is_left() -> None:
    order_id = placed()
    changed(order_id, REFUND, amount_minor=300)
    request = changed(order_id, CANCEL)
    order = read(order_id)
    assert (order.status, order.refunded_minor, order.refundable_minor) == ("cancelled", 1000, 0)
    assert order.changes.get(id=request.saga_id).amount_minor == 700


def test_an_order_is_refunded_to_the_last_penny_and_no_further() -> None:
    order_id = placed()
    changed(order_id, REFUND, amount_minor=999)
    refused = refusal_of(change_of(order_id, REFUND, amount_minor=2))
    assert (refused.code, refused.facts) == ("refund_exceeds_paid", {"refundable": 1})
    changed(order_id, REFUND)
    assert read(order_id).refunded_minor == 1000
    assert refusal_of(change_of(order_id, REFUND)).code == "nothing_left"


def test_lines_are_refunded_at_their_price() -> None:
    order_id = placed(Line("MUG", 1, 500), Line("MUG", 1, 400), Line("CUP", 1, 100))
    changed(order_id, REFUND, ("CUP", 1))
    assert read(order_id).refunded_minor == 100
    changed(order_id, REFUND, ("MUG", 2))
    assert read(order_id).refunded_minor == 1000


def test_returned_units_give_back_their_price_but_never_more_than_is_left() -> None:
    order_id = placed()
    changed(order_id, DISPATCH)
    changed(order_id, RETURN, ("MUG", 1))
    assert read(order_id).refunded_minor == 450
    changed(order_id, REFUND, amount_minor=500)
    changed(order_id, RETURN)
    order = read(order_id)
    assert (order.refunded_minor, units(order)) == (1000, [("MUG", 2, 2), ("CUP", 1, 1)])
    assert order.status == "dispatched"
    assert [change.amount_minor for change in order.changes.order_by("opened_at")] == [0, 450, 500, 50]


def test_the_price_of_a_unit_is_refunded_once() -> None:
    order_id = placed()
    changed(order_id, REFUND, ("MUG", 1))
    assert refusal_of(change_of(order_id, REFUND, ("MUG", 2))).facts == {"sku": "MUG", "wanted": 2, "left": 1}
    dropped(opened(order_id, REFUND, ("MUG", 1)))
    changed(order_id, REFUND, ("MUG", 1))
    assert refusal_of(change_of(order_id, REFUND, ("MUG", 1))).code == "quantity_exceeds_ordered"
    assert read(order_id).refunded_minor == 900


def test_a_unit_whose_price_was_refunded_comes_back_for_no_money() -> None:
    order_id = placed()
    changed(order_id, DISPATCH)
    changed(order_id, REFUND, ("MUG", 1))
    changed(order_id, RETURN, ("MUG", 2))
    assert read(order_id).refunded_minor == 900
    assert refusal_of(change_of(order_id, REFUND, ("MUG", 1))).code == "quantity_exceeds_ordered"
    changed(order_id, REFUND, ("CUP", 1))
    changed(order_id, RETURN, ("CUP", 1))
    order = read(order_id)
    assert (order.refunded_minor, units(order)) == (1000, [("MUG", 2, 2), ("CUP", 1, 1)])


def test_units_bought_with_a_discount_give_back_their_share_of_what_was_paid() -> None:
    order_id = placed(Line("MUG", 3, 333), Line("GIFT", 1, 0), Line("CUP", 1, 1), discount_minor=499)
    changed(order_id, DISPATCH)
    for kind, sku in ((REFUND, "MUG"), (RETURN, "MUG"), (RETURN, "MUG"), (RETURN, "GIFT"), (REFUND, "CUP")):
        changed(order_id, kind, (sku, 1))
    order = read(order_id)
    given_back = list(order.changes.order_by("opened_at").values_list("amount_minor", flat=True))
    assert given_back == [0, 166, 167, 167, 0, 1]
    assert order.refunded_minor == order.total_minor == 501


def test_a_return_may_give_back_less_than_the_price() -> None:
    order_id = placed()
    changed(order_id, DISPATCH)
    changed(order_id, RETURN, ("MUG", 1), amount_minor=400)
    assert read(order_id).refunded_minor == 400


def test_units_of_one_sku_on_two_lines_go_to_the_first_line_first() -> None:
    order_id = placed(Line("MUG", 2, 500), Line("MUG", 2, 400))
    changed(order_id, DISPATCH, ("MUG", 1), ("MUG", 2))
    assert units(read(order_id)) == [("MUG", 2, 0), ("MUG", 1, 0)]
    changed(order_id, RETURN, ("MUG", 3))
    assert (units(read(order_id)), read(order_id).refunded_minor) == ([("MUG", 2, 2), ("MUG", 1, 1)], 1400)


@pytest.mark.parametrize(("kind", "lines"), [(DISPATCH, [("MUG", 1)]), (REFUND, [("MUG", 1)]), (CANCEL, [])])
def test_a_dropped_change_leaves_the_order_as_it_was(kind: ChangeKind, lines: list[tuple[str, int]]) -> None:
    order_id = placed()
    request = opened(order_id, kind, *lines)
    dropped(request)
    order = read(order_id)
    assert (order.status, order.refunded_minor, units(order)) == ("confirmed", 0, [("MUG", 0, 0), ("CUP", 0, 0)])
    assert order.changes.get(id=request.saga_id).state == "dropped"
    opened(order_id, kind, *lines)


def test_a_dropped_return_leaves_the_units_dispatched() -> None:
    order_id = placed(Line("MUG", 2, 500), Line("MUG", 2, 400))
    changed(order_id, DISPATCH)
    changed(order_id, RETURN, ("MUG", 1))
    dropped(opened(order_id, RETURN, ("MUG", 2)))
    order = read(order_id)
    assert (order.refunded_minor, units(order)) == (500, [("MUG", 2, 1), ("MUG", 2, 0)])


@pytest.mark.parametrize(
    ("before", "kind", "lines", "code", "facts"),
    [
        ([], DISPATCH, [("MUG", 3)], "quantity_exceeds_ordered", {"sku": "MUG", "wanted": 3, "left": 2}),
        ([], DISPATCH, [("MUG", 0)], "quantity_exceeds_ordered", {"sku": "MUG", "wanted": 0, "left": 2}),
        ([], DISPATCH, [("JUG", 1)], "unknown_sku", {"sku": "JUG"}),
        ([], REFUND, [("MUG", 3)], "quantity_exceeds_ordered", {"sku": "MUG", "wanted": 3, "left": 2}),
        ([], RETURN, [("MUG", 1)], "quantity_exceeds_ordered", {"sku": "MUG", "wanted": 1, "left": 0}),
        ([], RETURN, [], "nothing_left", {}),
        ([DISPATCH], DISPATCH, [], "nothing_left", {}),
        ([DISPATCH], CANCEL, [], "already_dispatched", {}),
        ([CANCEL], CANCEL, [], "order_cancelled", {}),
        ([CANCEL], DISPATCH, [], "order_cancelled", {}),
        ([CANCEL], REFUND, [], "order_cancelled", {}),
        ([CANCEL], RETURN, [], "order_cancelled", {}),
        ([DISPATCH, RETURN], RETURN, [("CUP", 1)], "quantity_exceeds_ordered", {"sku": "CUP", "wanted": 1, "left": 0}),
    ],
)
def test_what_the_order_does_not_allow_is_refused(
    before: list[ChangeKind], kind: ChangeKind, lines: list[tuple[str, int]], code: str, facts: dict[str, object]
) -> None:
    order_id = placed()
    for each in before:
        changed(order_id, each)
    refused = refusal_of(change_of(order_id, kind, *lines))
    assert (refused.code, refused.facts) == (code, facts)


def test_an_order_of_which_a_unit_is_being_handed_over_is_not_cancelled() -> None:
    order_id = placed()
    opened(order_id, DISPATCH, ("MUG", 1))
    assert refusal_of(change_of(order_id, CANCEL, fence=2)).code == "already_dispatched"


def test_an_order_that_does_not_exist_is_refused() -> None:
    assert refusal_of(change_of(uuid4(), REFUND)).code == "unknown_order"


@pytest.mark.parametrize("amount_minor", [0, -5])
def test_a_refund_gives_back_something(amount_minor: int) -> None:
    assert refusal_of(change_of(placed(), REFUND, amount_minor=amount_minor)).code == "nothing_left"


def test_an_order_has_one_open_change() -> None:
    order_id = placed()
    opened(order_id, REFUND, amount_minor=1)
    with pytest.raises(IntegrityError, match="order_one_open_change"):
        opened(order_id, REFUND, amount_minor=1)
    assert read(order_id).refunded_minor == 1


def test_a_change_that_lost_the_lock_is_superseded_and_still_counts_until_it_ends() -> None:
    order_id = placed()
    first = opened(order_id, REFUND, amount_minor=600)
    second = opened(order_id, REFUND, amount_minor=300, fence=2)
    states = dict(OrderChange.objects.values_list("id", "state"))
    assert (states[first.saga_id], states[second.saga_id]) == ("superseded", "open")
    assert read(order_id).refundable_minor == 100

    with pytest.raises(changes.ChangeSuperseded):
        changes.approve_refund(ApproveRefund(first.saga_id, order_id, 1))
    changes.approve_refund(ApproveRefund(second.saga_id, order_id, 2))
    dropped(first)
    assert read(order_id).refundable_minor == 700


@pytest.mark.parametrize(
    ("rows", "change", "rule"),
    [
        (Order.objects, {"refunded_minor": 1001}, "order_not_over_refunded"),
        (Order.objects, {"refunded_minor": -1}, "order_not_over_refunded"),
        (Order.objects, {"status": "lost"}, "order_status_is_known"),
        (OrderLine.objects, {"dispatched": 3}, "order_line_not_over_dispatched"),
        (OrderLine.objects, {"returned": 1}, "order_line_not_over_returned"),
        (OrderChange.objects, {"amount_minor": -1}, "order_change_amount_not_negative"),
        (OrderChange.objects, {"state": "lost"}, "order_change_state_is_known"),
        (OrderChange.objects, {"kind": "lost"}, "order_change_kind_is_known"),
    ],
)
def test_the_database_refuses_an_impossible_change(rows: object, change: dict[str, object], rule: str) -> None:
    opened(placed(), REFUND, amount_minor=1)
    with pytest.raises(IntegrityError, match=rule):
        rows.update(**change)  # type: ignore[attr-defined]


def test_a_received_return_fulfils_its_request() -> None:
    order_id = placed()
    changed(order_id, DISPATCH)
    asked = a_return(order_id)
    request = opened(order_id, RETURN, ("MUG", 1), return_id=asked.id)
    asked.refresh_from_db()
    assert asked.state == "requested"
    closed(request)
    asked.refresh_from_db()
    assert asked.state == "received"
    assert refusal_of(change_of(order_id, RETURN, ("MUG", 1), return_id=asked.id)).code == "too_late"


def test_a_return_request_ends_on_its_date() -> None:
    order_id = placed()
    changed(order_id, DISPATCH)
    asked = a_return(order_id, now=timezone.now() - timedelta(days=31))
    assert asked.state_at(timezone.now()) == "expired"
    refused = refusal_of(change_of(order_id, RETURN, ("MUG", 1), return_id=asked.id))
    assert (refused.code, refused.facts["state"]) == ("too_late", "expired")


def test_the_end_of_a_return_request_is_decided_by_the_clock_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    order_id = placed()
    changed(order_id, DISPATCH)
    asked = a_return(order_id)
    with monkeypatch.context() as of_this_host:
        of_this_host.setattr(timezone, "now", lambda: asked.expires_at + timedelta(days=1))
        changed(order_id, RETURN, ("MUG", 1), return_id=asked.id)
    assert read(order_id).refunded_minor == 450


def test_a_refused_return_request_is_not_received() -> None:
    order_id = placed()
    changed(order_id, DISPATCH)
    asked = a_return(order_id)
    assert [refuse_return(asked.id, now=asked.expires_at) for _ in range(2)] == [True, False]
    assert refusal_of(change_of(order_id, RETURN, ("MUG", 1), return_id=asked.id)).facts["state"] == "refused"


def test_a_return_request_of_another_order_is_unknown() -> None:
    order_id, other_id = placed(), placed()
    changed(order_id, DISPATCH)
    changed(other_id, DISPATCH)
    for return_id in (a_return(other_id).id, uuid4()):
        assert refusal_of(change_of(order_id, RETURN, return_id=return_id)).code == "unknown_return"


def test_the_same_key_requests_one_return() -> None:
    order_id = placed()
    changed(order_id, DISPATCH)
    first = a_return(order_id, key="k")
    assert first.lines == [{"sku": "MUG", "quantity": 2}, {"sku": "CUP", "quantity": 1}]
    assert a_return(order_id, key="k") == first
    assert a_return(order_id, key="other") != first


def test_what_was_not_dispatched_cannot_be_requested_back() -> None:
    with pytest.raises(Refusal) as caught:
        a_return(placed(), SkuQuantity("MUG", 1))
    assert caught.value.code == "quantity_exceeds_ordered"


def a_return(order_id: UUID, *lines: SkuQuantity, key: str = "", now: datetime | None = None) -> ReturnRequest:
    return request_return(
        read(order_id),
        lines,
        return_id=uuid4(),
        reason="too small",
        requested_by="customer",
        idempotency_key=key or str(uuid4()),
        request_hash="",
        now=now or timezone.now(),
    )


def call(request: OpenChange) -> Call:
    return Call(request.saga_id, "open_change", 1, encode(request))


def test_a_message_that_comes_again_opens_the_change_once() -> None:
    request = change_of(placed(), REFUND, amount_minor=400)
    [first], [again] = (step_runner.act(participant, open_change, [call(request)]) for _ in range(2))
    assert isinstance(first, Done)
    assert isinstance(again, Done)
    assert first.answer["refund_minor"] == again.answer["refund_minor"] == 400
    assert read(request.order_id).refunded_minor == 400


def test_of_a_batch_only_the_changes_that_do_not_fit_are_refused() -> None:
    requests = [change_of(placed(), REFUND, amount_minor=amount) for amount in (1000, 1001, 1)]
    outcomes = step_runner.act(participant, open_change, [call(each) for each in requests])
    assert [type(each) for each in outcomes] == [Done, Refused, Done]
    assert [read(each.order_id).refunded_minor for each in requests] == [1000, 0, 1]
