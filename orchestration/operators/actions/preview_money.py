"""What an action does to the customer's money, in words and amounts. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.participant.money import Money, MoneyReader
from orchestration.protocol.itinerary import itinerary
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Bar, Command, Forward, State, Undo
from orchestration.text import formatting


@dataclass(frozen=True)
class Purse:
    """How a saga's money stands (None: in no books), how it is moved, and what the saga knows of the sum."""

    reader: MoneyReader
    money: Money | None
    known: Mapping[str, Any]

    def asked(self) -> str:
        """Return the sum that the order is about, as text."""
        total, currency = self.known.get("total_minor"), self.known.get("currency")
        if not isinstance(total, int) or not isinstance(currency, str):
            return "the order's total"
        return formatting.money(total, currency)


def effects(saga: Saga, state: State, command: Command | None, purse: Purse) -> Iterator[str]:
    """Yield a sentence for each thing that the command may do to the money."""
    steps = {stop.step for stop in itinerary(saga, command)[0]} if command else set()
    match command:
        case Forward():
            yield from _forward(steps, state, purse)
        case Undo() if purse.reader.holds.step in steps:
            yield _given_back(purse)
        case Bar() if purse.reader.holds.step in saga.by_name:
            yield f"If {saga.pivot.name} is barred: {_given_back(purse)}"


def stays(purse: Purse, *, is_undone: bool, has_facts: bool, is_voided: bool) -> str:
    """Describe what stays at the gateway when a step is settled, and how to void it.

    `is_undone` says whether the step's compensation is settled, else its action; `has_facts` whether the operator gives
    the service facts for its records; `is_voided` whether what is on hold is voided with the settlement.
    """
    money = purse.money
    if money is None:
        return "No money of this saga is in our records. The gateway may still hold some: check there first."
    left = [
        (formatting.money(amount, money.currency), what, way_back)
        for amount, what, way_back in ((money.held_minor, "held", "void"), (money.kept_minor, "captured", "refund"))
        if amount > 0
    ]
    if not left:
        return f"Nothing stays at the gateway: {_amounts(money)}."
    if has_facts:
        return f"Our records take the facts that you give. The gateway is not called; so far {_amounts(money)}."
    if is_voided:
        held = formatting.money(money.held_minor, money.currency)
        return (
            f"{held} on hold is voided ({money.reference}), by a saga that "
            "asks the gateway first: if it has captured the money, nothing is given back."
        )
    amounts = " and ".join(f"{amount} stays {what} at the gateway" for amount, what, _ in left)
    ways = " and ".join(f"{way_back} it" for _, _, way_back in left)
    if is_undone:
        instead = f"resume the saga instead to {ways}"
    elif money.held_minor > 0:
        instead = "if it is not owed any more, have it voided with the settlement: settle with `void`"
    else:
        instead = f"if it is not owed any more, {ways} at the gateway"
    return f"{amounts} ({money.reference}): {instead}."


def _forward(steps: set[str], state: State, purse: Purse) -> Iterator[str]:
    if purse.reader.holds.step in steps and purse.money is None:
        yield f"{purse.asked()} is put on hold."
    if purse.reader.takes.step in steps and (purse.money is None or not purse.money.captured_minor):
        yield f"{purse.asked()} is taken from what is on hold."


def _given_back(purse: Purse) -> str:
    money = purse.money
    if money is None:
        return f"should {purse.asked()} be on hold without our having heard of it, it is let go."
    if money.kept_minor > 0:
        return f"{formatting.money(money.kept_minor, money.currency)} that was taken is refunded ({money.reference})."
    if money.held_minor > 0:
        return f"{formatting.money(money.held_minor, money.currency)} on hold is let go ({money.reference})."
    return f"nothing is left to give back: {_amounts(money)}."


def _amounts(money: Money) -> str:
    amounts = {
        "authorised": money.authorised_minor,
        "taken": money.captured_minor,
        "let go": money.voided_minor,
        "refunded": money.refunded_minor,
    }
    said = [f"{formatting.money(amount, money.currency)} {what}" for what, amount in amounts.items() if amount]
    return f"{', '.join(said)} ({money.reference})"
