"""Operators' pages on the smallest screen they are made for: nothing has to be sought at its side."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.urls import reverse
from playwright.sync_api import expect
from uuid_utils.compat import uuid7

from orchestration.contracts.order_changes import ChangeKind
from orchestration.engine import dispatch
from orchestration.models import AuditFinding, Batch, BatchMember, Deadlock, OperatorLogEntry, SagaInstance
from orchestration.models.actions import Code, OperatorAction, Via
from orchestration.operators.actions.batches import ask_for_batch
from orchestration.operators.actions.requests import Actor, Ask
from orchestration.operators.insight.saga_filter import SagaFilter
from orders.models import Order
from orders.returns import request_return
from payments.models import Hold, Turn
from tests.integration.admin.conftest import SAGAS
from tests.integration.admin.situations import Post, Situations
from tests.support.broker import dead_letters, publish_raw
from tests.support.browser import HIGH, PHONE, WIDE, log_in, shoot, violations
from tests.support.order_changes import start
from tests.support.placed_orders import read
from tests.support.shop import Shop
from tests.support.wait import wait_for

ADA = Actor("ada.lovelace@example.org", 1, Via.ADMIN)
WHY = "The gateway was down from ten to eleven, and the acquirer has confirmed that nothing was taken meanwhile."
TOO_WIDE = """() => [...document.querySelectorAll(':has(.ops-page), .ops-page *')]
    .filter(each => !each.matches('input, textarea, .visually-hidden'))
    .filter(each => each.matches('html') || getComputedStyle(each).overflowX !== 'visible')
    .filter(each => each.scrollWidth > each.clientWidth + 1)
    .map(each => `${each.tagName} ${each.className}: ${each.scrollWidth} in ${each.clientWidth}`)"""
"""What can be scrolled sideways, or has its end cut off."""
OFF_THE_PHONE = """() => [
    ...[document.documentElement].filter(each => each.scrollWidth > innerWidth)
        .map(each => `the page is ${each.scrollWidth} wide`),
    ...[...document.querySelectorAll('.ops-chip')].filter(each => each.checkVisibility())
        .filter(each => each.getBoundingClientRect().right > innerWidth)
        .map(each => `${each.innerText} ends at ${each.getBoundingClientRect().right}`),
]"""
"""A page that is wider than the screen, and each status that is not on it."""


@pytest.fixture
def batch(unrefunded: list[UUID]) -> Batch:
    """One that has ended: of two members not much came, and the third one broke."""
    batch = ask_for_batch(SagaFilter(ids=frozenset(unrefunded)), Ask(OperatorAction.RETRY, ADA, WHY))
    for member in batch.members.all()[:2]:
        member.entry, member.state = entry(member.saga_id, batch=batch), BatchMember.State.DONE
        member.save()
    batch.members.filter(position=2).update(state=BatchMember.State.TAKEN_UP, detail="OperationalError: " + WHY)
    Batch.objects.update(state="finished", next_at=None, ended_at=datetime.now(UTC))
    return batch


def entry(saga_id: UUID, **more) -> OperatorLogEntry:
    """An operator's action that came to nothing."""
    asked = {"action": "retry", "by": ADA.name, "via": ADA.via.value, "reason": WHY, "evidence": WHY}
    became = {"observed": "parked_again", "observed_detail": WHY, "observed_at": datetime.now(UTC)}
    return OperatorLogEntry.objects.create(
        saga_id=saga_id, code=Code.TAKEN, before={}, after={}, **asked, **became, **more
    )


@pytest.fixture
def summary(parked: UUID, at_work, batch: Batch, monkeypatch) -> None:
    """Everything that pages show more of when things go wrong."""
    entry(parked)
    with monkeypatch.context() as patched:
        patched.setattr(dispatch, "send", Post().send)
        Situations().failing("schedule_shipment", tries=12)
    reported = {"content_type": "application/json", "headers": {"id": str(parked), "task": "inventory.reserve_stok"}}
    publish_raw(
        "inventory", json.dumps([[], {"saga_id": str(parked), "step": "reserve_stock"}, {}]).encode(), **reported
    )
    wait_for(lambda: dead_letters() == 1)
    seen = dict.fromkeys(("first_seen_at", "opened_at", "last_seen_at"), datetime.now(UTC))
    AuditFinding.objects.create(fingerprint="x", invariant="Q2", message=WHY, saga_id=parked, **seen)


@pytest.fixture
def deadlocked(parked: UUID, monkeypatch) -> None:
    """Locks, sagas that wait for each other and are paused so that no search ends it, and a deadlock that was ended."""
    with_two = Situations()
    now = datetime.now(UTC)
    with monkeypatch.context() as patched:
        patched.setattr(dispatch, "send", Post().send)
        first, second, third = (with_two.paused() for _ in range(3))
    for saga_id, holder in ((first, second), (second, first), (third, first)):
        SagaInstance.objects.filter(pk=saga_id).update(
            waits_for=holder,
            waits_on=f"wallet:{holder}",
            waits_since=now,
            waits=True,
            progress={"waits": "reserve_stock"},
        )
        Turn.objects.create(resource=f"wallet:{holder}", saga_id=saga_id, step="take_second")
    for number, holder in enumerate((first, second)):
        Hold.objects.create(resource=f"wallet:{holder}", saga_id=holder, step="take_first", fence=number)
    cycle = [str(first), str(second)]
    Deadlock.objects.create(
        victim_id=parked,
        cycle=cycle,
        resources=[f"wallet:{each}" for each in reversed(cycle)],
        definitions=["checkout.v2"] * 2,
        reason="fewest external steps done",
        successor_id=third,
        found_at=now,
    )


@pytest.fixture
def changed_order(at_work, shop: Shop) -> Order:
    """An order with a parcel, a refund, a cancellation that was refused, and a return request."""
    order = Order.objects.latest("placed_at")
    for kind in (ChangeKind.DISPATCH, ChangeKind.CANCEL, ChangeKind.REFUND):
        shop.ended(start(order.saga_id, kind, reason=WHY, amount_minor=1 if kind == ChangeKind.REFUND else None))
    request_return(
        read(order.pk),
        (),
        return_id=uuid7(),
        reason=WHY,
        requested_by="customer",
        idempotency_key="k",
        request_hash="",
        now=datetime.now(UTC),
    )
    return order


@pytest.fixture
def paths(parked: UUID, summary: None, deadlocked: None, batch: Batch, changed_order: Order) -> dict[str, str]:
    """Every page that operators open, by a name for its picture."""
    compensated = SagaInstance.objects.filter(phase="compensated").latest("created_at")
    return {
        "dashboard": reverse("admin:index"),
        "sagas": SAGAS,
        "sifted": f"{SAGAS}?status=retrying&status=waiting",
        "parked": f"{SAGAS}{parked}/change/",
        "compensated": f"{SAGAS}{compensated.pk}/change/",
        "resume": reverse("operations:act", args=[parked, "resume"]),
        "incidents": reverse("operations:incidents"),
        "batches": reverse("operations:batches"),
        "batch": reverse("operations:batch", args=[batch.pk]),
        "new-batch": reverse("operations:batch-new") + "?which=filter&status=parked&action=compensate",
        "new-settlement": reverse("operations:batch-new")
        + "?which=filter&status=parked&action=settle&step=authorise_payment",
        "machinery-log": reverse("admin:orchestration_machinerylogentry_changelist"),
        "dead-letters": reverse("operations:dead-letters"),
        "breakers": reverse("operations:breakers"),
        "locks": reverse("operations:locks"),
        "findings": reverse("operations:findings"),
        "order": reverse("admin:orders_order_change", args=[changed_order.pk]),
        **{
            verb: reverse("admin:orders_order_new_change", args=[changed_order.pk, verb])
            for verb in ("refund", "dispatch")
        },
        "receive": reverse("admin:orders_return_receive", args=[changed_order.return_requests.get().pk]),
        "entry": reverse("operations:entry", args=[OperatorLogEntry.objects.latest("id").pk]),
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_fits_the_smallest_screen_and_a_phone(page, live_server, paths, scheme):
    page.emulate_media(color_scheme=scheme)
    log_in(page, live_server)
    wrong = []
    for name, path in paths.items():
        page.goto(live_server.url + path)
        expect(page.get_by_text("…", exact=True)).to_have_count(0)
        shoot(page, f"{name}-{scheme}")
        wrong += [f"{name}: {each}" for each in page.evaluate(TOO_WIDE)]
        page.set_viewport_size({"width": PHONE, "height": HIGH})
        shoot(page, f"{name}-{scheme}-phone")
        wrong += [f"{name} on a phone: {each}" for each in page.evaluate(OFF_THE_PHONE)]
        page.set_viewport_size({"width": WIDE, "height": HIGH})
    assert "\n".join(wrong) == ""


def test_every_page_is_accessible(page, live_server, paths):
    log_in(page, live_server)
    wrong = []
    for name, path in paths.items():
        page.emulate_media(color_scheme="light")
        page.goto(live_server.url + path)
        expect(page.get_by_text("…", exact=True)).to_have_count(0)
        wrong += [f"{name}: {each}" for each in violations(page)]
        page.emulate_media(color_scheme="dark")
        wrong += [f"{name} in the dark: {each}" for each in violations(page, "color-contrast")]
    assert "\n".join(wrong) == ""
