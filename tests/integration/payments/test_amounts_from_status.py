"""The migration that writes the amounts of payments from their status, and the rows of their refunds."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from payments.models import Payment, Refund

BEFORE = ("payments", "0004_ledger_statuses_are_checked")

pytestmark = pytest.mark.django_db(transaction=True, databases=["payments"])


def executor() -> MigrationExecutor:
    return MigrationExecutor(connections["payments"])


def migrate(*targets: tuple[str, str]) -> None:
    executor().migrate(list(targets))


@pytest.fixture
def old_payments() -> Iterator[Any]:
    """The model of payments as it was before, on the tables of that time."""
    latest = [node for node in executor().loader.graph.leaf_nodes() if node[0] == "payments"]
    migrate(BEFORE)
    try:
        yield executor().loader.project_state([BEFORE]).apps.get_model("payments", "Payment").objects
    finally:
        migrate(*latest)


def test_amounts_and_refunds_follow_from_the_status(old_payments: Any) -> None:
    ids: dict[str, dict[str, str]] = {
        "authorised": {},
        "voided": {},
        "captured": {"capture_id": "c1"},
        "refunded": {"capture_id": "c2", "refund_id": "r2"},
    }
    sagas: dict[str, UUID] = {status: uuid4() for status in ids}
    for status, saga_id in sagas.items():
        columns = {"saga_id": saga_id, "order_id": uuid4(), "amount_minor": 1998, "currency": "GBP"}
        old_payments.create(status=status, authorisation_id=f"a {status}", **columns, **ids[status])

    migrate(("payments", "0008_old_amounts_are_checked"))

    amounts = Payment.objects.values_list("saga_id", "status", "captured_minor", "refunded_minor")
    assert set(amounts) == {
        (sagas["authorised"], "authorised", 0, 0),
        (sagas["voided"], "voided", 0, 0),
        (sagas["captured"], "captured", 1998, 0),
        (sagas["refunded"], "refunded", 1998, 1998),
    }
    refunds = Refund.objects.values_list("payment__saga_id", "saga_id", "step", "amount_minor", "status", "gateway_id")
    refunded = sagas["refunded"]
    assert list(refunds) == [(refunded, refunded, "authorise_payment", 1998, "succeeded", "r2")]
