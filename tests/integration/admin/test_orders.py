"""Orders in the admin: their lines, changes and return requests, to read."""

from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from config import env
from orchestration.contracts.order_changes import ChangeKind
from orders.returns import request_return
from tests.support.placed_orders import changed, placed, read

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))


def test_an_order_shows_what_was_changed_and_what_is_to_come_back(admin_client: Client) -> None:
    order_id = placed()
    change = changed(order_id, ChangeKind.DISPATCH, ("MUG", 2))
    back = request_return(
        read(order_id),
        (),
        return_id=uuid4(),
        reason="too small",
        requested_by="customer",
        idempotency_key="k",
        request_hash="",
        now=timezone.now(),
    )
    page = admin_client.get(f"/admin/orders/order/{order_id}/change/").content.decode()
    for text in ("partly dispatched", str(change.saga_id), str(back.id), "kim"):
        assert text in page
    assert 'name="_save"' not in page

    for path, shown in (("orderchange", change.saga_id), ("returnrequest", back.id)):
        assert str(shown) in admin_client.get(f"/admin/orders/{path}/", {"q": str(order_id)}).content.decode()
        page = admin_client.get(f"/admin/orders/{path}/{shown}/change/").content.decode()
        assert 'name="_save"' not in page
