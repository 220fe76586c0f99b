"""Proposes for a finding the repair saga, or advice for an operator. Pure functions."""

from collections.abc import Iterable, Mapping

from orchestration.contracts.inventory import reserve_stock
from orchestration.contracts.orders import place_order
from orchestration.contracts.payments import authorise_payment
from orchestration.contracts.shipping import schedule_shipment
from orchestration.operators.audit.values import Repair, Sighting
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Phase
from orchestration.sagas.cancel_leftover_parcel import cancel_leftover_parcel
from orchestration.sagas.recount_reserved import recount_reserved
from orchestration.sagas.release_leftover_hold import release_leftover_hold
from orchestration.sagas.reverse_leftover_payment import reverse_leftover_payment

LEFTOVERS: Mapping[str, Saga] = {
    reserve_stock.step: release_leftover_hold,
    authorise_payment.step: reverse_leftover_payment,
    schedule_shipment.step: cancel_leftover_parcel,
}
"""The repair saga that reverses an effect left behind by a compensated saga, by the step that made the effect."""

ABOUT_LEFTOVERS = frozenset({"A4", "A6", "Q3", "Q4"})
ABOUT_PROMISES = frozenset({"A1", "A2"})

ADVICE: Mapping[str, str] = {
    "A1": "Count the units of this SKU, and correct what is reserved or on hand by a movement.",
    "A2": "Count the units of this SKU: deliveries and movements do not explain what is on hand.",
    "A3": "Compare the ledger row's history with backups: somebody else than the kit has written it.",
    "A4": "Compare the step's ledger row with what is there. If the row is right, reverse the effect by hand.",
    "A5": "Compare the saga's log with backups: somebody else than the engine has written it.",
    "A6": "Compare the services' ledger rows with the saga's log, and reverse by hand what should not be there.",
    "A7": "Ask the customer which of the orders is meant, and cancel and refund the other.",
    "Q1": "Open the saga: its page says why it does not move.",
    "Q2": "Restore what is missing from the service's backup, or refund the customer and cancel the order.",
    "Q3": "There is an order although its saga was given up: ask the customer, then ship it or refund it by hand.",
    "Q4": "Compare with the gateway's dashboard. Money that no saga asked for is refunded there, by its reference.",
    "Q5": "Compare the order's lines, its payment and the gateway's capture; refund the difference at the gateway.",
    "Q6": "Find out who made this: a lost saga (restore it from a backup) or a stranger with our credentials.",
    "R1": "Compare the order's changes with its payment and the gateway: money went back without a change, or twice.",
    "R2": "Compare the change's saga with orders' ledger, and settle the step that is missing.",
    "R6": "Give the customer the amount in another way, such as a bank transfer, and accept the finding with its id.",
    "R7": "Compare the order's changes with its parcels, and correct its status or its lines.",
}
"""Advice for operators, by invariant, if no saga can repair the violation."""

SETTLED_OUTSIDE = (
    "A step of this saga was settled outside, as its log says: compare with the evidence there, and accept the finding."
)


def propose(sighting: Sighting, beside: Iterable[Sighting] = ()) -> Repair | None:
    """Return the repair for the violation, given the other sightings of its subject; None if no saga can repair it.

    If the saga has an order, or if an operator settled one of its steps externally, no repair is proposed.
    """
    ids = sighting.ids
    if sighting.invariant in ABOUT_PROMISES and "sku" in ids:
        return _recount(ids["sku"], [sighting, *beside])
    saga = LEFTOVERS.get(ids.get("step", ""))
    if saga is None or sighting.invariant not in ABOUT_LEFTOVERS or sighting.phase != Phase.COMPENSATED:
        return None
    if sighting.was_settled_outside:
        return None
    if any(_is_an_order(each) and each.ids.get("saga") == ids["saga"] for each in beside):
        return None
    return Repair(saga.name, {"repaired_saga_id": ids["saga"]})


def advice(sighting: Sighting, repair: Repair | None) -> str:
    """Return the advice for the operator."""
    if repair is not None:
        return f"Apply the proposed repair, the saga {repair.kind}."
    if sighting.was_settled_outside:
        return SETTLED_OUTSIDE
    return ADVICE.get(sighting.invariant, "")


def _recount(sku: str, seen: list[Sighting]) -> Repair | None:
    """Return the repair that recounts reserved units, if A1 is violated; a violation of A2 alone is not repaired."""
    wrong = {each.invariant for each in seen if each.ids.get("sku") == sku}
    return Repair(recount_reserved.name, {"sku": sku}) if "A1" in wrong else None


def _is_an_order(sighting: Sighting) -> bool:
    return sighting.ids.get("step") == place_order.step
