"""The changes of an order for the simulator: a request for each, and the work of each step's participant."""

from uuid import UUID

from orchestration.contracts.order_changes import ChangeKind, ChangeOpened, ChangeRequested, RefundTo
from orchestration.contracts.payments import MoneyGivenBack
from orchestration.contracts.values import SkuQuantity
from orchestration.protocol.saga import Saga
from orchestration.testing import Fake

MUG = (SkuQuantity("MUG-01", 1),)
OUTSIDE = frozenset({"cancel_parcel", "give_back"})


def request_of(saga: Saga) -> ChangeRequested:
    """Return a request for this kind of change."""
    return ChangeRequested(
        order_id=UUID(int=1),
        customer_id="ada",
        checkout_id=UUID(int=2),
        kind=ChangeKind(saga.name.partition("_")[0]),
        lines=MUG,
        amount_minor=999,
        currency="GBP",
        refund_to=RefundTo.PAYMENT,
        reason="broken",
        requested_by="kim",
    )


def fakes_of(saga: Saga) -> dict[str, Fake]:
    """Return the answers of the saga's steps, and which of them are carried out outside."""
    answers = {
        "open_change": lambda request: ChangeOpened(request.fence, MUG, 999),
        "give_back": MoneyGivenBack(999, 0),
    }
    names = (answers.keys() | OUTSIDE) & saga.by_name.keys()
    return {name: Fake(answers.get(name), outside=name in OUTSIDE) for name in names}
