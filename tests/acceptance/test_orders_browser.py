"""A member of staff at a browser: gives money back, reads before what will happen, and sees its outcome."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from orchestration.models import SagaInstance
from orders.models import Order
from tests.support.browser import log_in, shoot
from tests.support.wait import wait_for

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
def order(shared_worker, shop) -> Order:
    """Three mugs at £1.00."""
    saga_id = shop.place(basket=[(shop.sku, 3)])
    assert shop.ended(saga_id) == ["completed"]
    return Order.objects.get(saga_id=saga_id)


def test_staff_refund_a_part_of_an_order(page, live_server, order):
    log_in(page, live_server)
    page.goto(live_server.url + reverse("admin:orders_order_change", args=[order.pk]))
    expect(page.get_by_role("region", name="Order")).to_contain_text("3.00 GBP, of which 0.00 GBP given back")
    page.get_by_role("link", name="Refund", exact=True).click()
    preview = page.get_by_role("region", name="Preview")
    expect(preview).to_contain_text("3.00 GBP is given back")
    page.get_by_label("Amount in GBP").fill("1.25")
    page.get_by_role("button", name="Preview").click()
    expect(preview).to_contain_text("1.25 GBP is given back the way it was paid. This cannot be undone.")
    expect(preview).to_contain_text("After that, 1.75 GBP can still be given back.")
    shoot(page, "order-refund")

    page.get_by_role("button", name="Do it: refund").click()
    assert Order.objects.get().refunded_minor == 0  # without a reason the form is not even sent
    page.get_by_label("Reason").fill("scratched")
    page.get_by_role("button", name="Do it: refund").click()

    expect(page.get_by_text("Refund: confirmed.")).to_be_visible()
    wait_for(lambda: not SagaInstance.objects.filter(ended_at=None), seconds=60, what="the end of the refund")
    page.reload()
    expect(page.get_by_role("region", name="Order")).to_contain_text("3.00 GBP, of which 1.25 GBP given back")
    expect(page.get_by_role("region", name="Order")).to_contain_text("A. Buyer, 1 High St, Leeds, LS1 1AA, GB")
    changes = page.get_by_role("region", name="Changes")
    row = changes.get_by_role("row", name="refund confirmed 1.25 GBP")
    expect(row).to_contain_text("ada: scratched")
    shoot(page, "order")
    row.get_by_role("link", name="refund").click()
    expect(page.get_by_role("region", name="Why")).to_be_visible()


def test_staff_dispatch_a_parcel_and_can_then_cancel_no_more(page, live_server, order):
    log_in(page, live_server)
    page.goto(live_server.url + reverse("admin:orders_order_change", args=[order.pk]))
    page.get_by_role("link", name="Dispatch", exact=True).click()
    page.get_by_label(f"{order.lines.get().sku}: units, of 3").fill("2")
    page.get_by_label("Reason").fill("the third is late")
    page.get_by_role("button", name="Do it: dispatch").click()
    expect(page.get_by_role("alert")).to_contain_text("Check this preview, then confirm.")
    expect(page.get_by_role("region", name="Preview")).to_contain_text("2 of MUG-01 leave the warehouse.")
    page.get_by_role("button", name="Do it: dispatch").click()
    expect(page.get_by_text("Dispatch: confirmed.")).to_be_visible()
    wait_for(lambda: Order.objects.get().status == "partly_dispatched", what="the change is closed")
    page.reload()
    expect(page.get_by_role("region", name="Order")).to_contain_text("partly dispatched")
    expect(page.get_by_role("link", name="Cancel", exact=True)).to_have_count(0)
