"""The store credit of customers: money that they may spend on later orders."""

from orchestration.participant.refusals import Refusal


class NoStoreCredit(Refusal):
    """This shop keeps no store credit for its customers. Refund to the card instead."""

    code = "no_store_credit"


def add(customer_id: str, amount_minor: int, currency: str) -> None:
    """Add to the customer's store credit, in minor units of the currency.

    :raises NoStoreCredit: when the shop keeps none.
    """
    raise NoStoreCredit(amount_minor=amount_minor, currency=currency)
