"""A shop to test with: stock, checkouts placed through the engine, and queries of their results."""

from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from inventory.models import Stock
from inventory.services import receive_stock
from orchestration.contracts.orders import CheckoutRequested, CheckoutRequestedV1
from orchestration.contracts.values import Address, Line
from orchestration.engine import dispatch, engine, selectors
from orchestration.models import SagaInstance
from orchestration.participant.encryption import encrypt
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import ENDED, Command, Forward
from orchestration.sagas.checkout import checkout
from tests.support.crowd import at_once
from tests.support.wait import wait_for

Basket = Iterable[tuple[str, int]]
NOT_NEEDED = frozenset({"claim_coupon", "redeem_coupon", "spend_credit", "release_coupon"})
"""Steps that a checkout without coupon and store credit skips."""


def forward_from(step: str) -> Forward:
    """Return the command that continues a checkout without coupon and store credit from this step."""
    return Forward(checkout.position_of(step), NOT_NEEDED)


def of_v1(request: CheckoutRequested) -> CheckoutRequestedV1:
    """Return the request of the same order for the first version of the checkout."""
    return CheckoutRequestedV1(**{each.name: getattr(request, each.name) for each in fields(CheckoutRequestedV1)})


class Shop:
    """Places checkouts for one customer at 100 minor units a piece."""

    sku = "MUG-01"

    def stock(self, units: int = 1000, sku: str = sku) -> None:
        """Receive units of an SKU."""
        receive_stock(units_by_sku={sku: units})

    def request(
        self, *, basket: Basket = ((sku, 1),), payment_method: str = "tok_ok", line2: str = "", key: str = ""
    ) -> CheckoutRequested:
        """Build the request for a priced cart. Test tokens go into `payment_method` and `line2` (docs/sandbox.md)."""
        lines = tuple(Line(sku, quantity, 100) for sku, quantity in basket)
        order_id = uuid7()
        return CheckoutRequested(
            order_id=order_id,
            customer_id="customer-1",
            idempotency_key=key or str(order_id),
            lines=lines,
            total_minor=sum(line.total_minor for line in lines),
            currency="GBP",
            payment_method=encrypt(payment_method),
            shipping_address=Address("A. Buyer", "1 High St", "Leeds", "LS1 1AA", "GB", line2),
            placed_at=datetime.now(UTC),
        )

    def place(
        self,
        request: CheckoutRequested | CheckoutRequestedV1 | None = None,
        *,
        now: datetime | None = None,
        saga_id: UUID | None = None,
        saga: Saga = checkout,
        **options,
    ) -> UUID:
        """Start a saga and return its id. With `now` in the past it is late."""
        asked = request or self.request(**options)
        origin = engine.Origin(asked.customer_id, asked.idempotency_key, request_hash="hash")
        at = now or datetime.now(UTC)
        return engine.start_saga(saga, asked, saga_id=saga_id or uuid7(), origin=origin, now=at).saga_id

    def saga(self, saga_id: UUID) -> SagaInstance:
        """Return the saga's current row."""
        instance = selectors.saga(saga_id)
        assert instance is not None
        return instance

    def ended(self, *saga_ids: UUID, seconds: float = 120) -> list[str]:
        """Wait until all sagas have ended. Return their final phases."""
        found = wait_for(lambda: self._all_ended(saga_ids), seconds=seconds, what=f"the end of {len(saga_ids)} sagas")
        assert found is not None
        return [found[saga_id].phase for saga_id in saga_ids]

    def reaches(self, saga_id: UUID, line: str, *, seconds: float = 120) -> None:
        """Wait until the saga's story has this line."""
        wait_for(lambda: line in self.story(saga_id), seconds=seconds, what=f"{line!r} in the saga's log")

    def has_done(self, saga_id: UUID, step: str, *, seconds: float = 120) -> None:
        """Wait until the step's ledger row is done."""
        wait_for(lambda: self.ledger(saga_id).get(step) == "done", seconds=seconds, what=f"{step} done")

    def send(self, saga_id: UUID, command: Command, *, times: int) -> None:
        """Publish the messages of a command so often at once, as the saga's current state requires them."""
        instance = self.saga(saga_id)
        at_once([lambda: dispatch.send(instance, command)] * times)

    def story(self, saga_id: UUID) -> list[str]:
        """Return the saga log as "kind step" lines."""
        return [f"{entry.kind} {entry.step}".strip() for entry in selectors.log_of(saga_id)]

    def ledger(self, saga_id: UUID) -> dict[str, str]:
        """Return each step's ledger status. Steps without a row are absent."""
        rows = selectors.ledger_rows(self.saga(saga_id)).values()
        return {row.step: row.status for found in rows if found for row in found}

    def available(self, sku: str = sku) -> int:
        """Return how many units a buyer may have."""
        return Stock.objects.get(sku=sku).available

    def _all_ended(self, saga_ids: Iterable[UUID]) -> dict[UUID, SagaInstance] | None:
        found = SagaInstance.objects.in_bulk(list(saga_ids))
        return found if found and all(saga.phase in ENDED for saga in found.values()) else None
