"""The saga definitions, one in each module, by name."""

from collections.abc import Mapping

from orchestration.protocol.saga import Saga
from orchestration.sagas.cancel_leftover_parcel import cancel_leftover_parcel
from orchestration.sagas.cancel_order import cancel_order
from orchestration.sagas.checkout import checkout
from orchestration.sagas.checkout_v1 import checkout_v1
from orchestration.sagas.dispatch_order import dispatch_order
from orchestration.sagas.recount_reserved import recount_reserved
from orchestration.sagas.refund_order import refund_order
from orchestration.sagas.release_leftover_hold import release_leftover_hold
from orchestration.sagas.return_order import return_order
from orchestration.sagas.reverse_leftover_payment import reverse_leftover_payment
from orchestration.sagas.transfer_credit import transfer_credit
from orchestration.sagas.void_settled_hold import void_settled_hold

CHANGES = (dispatch_order, cancel_order, refund_order, return_order)
"""Changes of a placed order."""

REPAIRS = (release_leftover_hold, reverse_leftover_payment, cancel_leftover_parcel, recount_reserved)
"""Repairs that an audit proposes and an operator applies."""

CUSTOMER = "audit"
"""The customer id of repairs. It cannot be a customer's: those are numbers."""

definitions: dict[str, Saga] = {
    saga.name: saga for saga in (checkout, checkout_v1, *CHANGES, transfer_credit, *REPAIRS, void_settled_hold)
}


class UnknownDefinition(LookupError):
    """This code has no saga definition of that name."""


def definition_of(name: str, among: Mapping[str, Saga] = definitions) -> Saga:
    """Return the saga definition of this name.

    :raises UnknownDefinition: when this code has none of that name.
    """
    try:
        return among[name]
    except KeyError:
        raise UnknownDefinition(f"no saga definition is called {name!r}") from None
