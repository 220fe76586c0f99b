"""The effects of an action on the customer's money, as sentences with amounts. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.contracts.orders import card_minor
from orchestration.participant.money import Money, MoneyReader
from orchestration.protocol.itinerary import itinerary
from orchestration.protocol.saga import Saga
from orchestration.protocol.states import Bar, Command, Forward, State, Undo
from orchestration.text import formatting


@dataclass(frozen=True)
class MoneyAtStake:
    """The money of one saga, with the service's reader and the saga's facts. `money` is None without a record."""

    reader: MoneyReader
    money: Money | None
    known: Mapping[str, Any]

    def total(self) -> str:
        """Return as text what the card has to pay."""
        currency = self.known.get("currency")
        if "total_minor" not in self.known or not isinstance(currency, str):
            return "the order's total"
        return formatting.money(card_minor(self.known), currency)

    def refund(self) -> str:
        """Return as text what a change of the order gives back."""
        return self._known_amount("refund_minor") or "what the change gives back"

    def _known_amount(self, name: str) -> str:
        amount, currency = self.known.get(name), self.known.get("currency")
        return formatting.money(amount, currency) if isinstance(amount, int) and isinstance(currency, str) else ""


def effects(saga: Saga, state: State, command: Command | None, at_stake: MoneyAtStake) -> Iterator[str]:
    """Yield a sentence for each effect that the command may have on the money."""
    steps = {stop.step for stop in itinerary(saga, command)[0]} if command else set()
    match command:
        case Forward():
            yield from _forward(steps, state, at_stake)
        case Undo() if at_stake.reader.holds.step in steps:
            yield _given_back(at_stake)
        case Bar() if at_stake.reader.holds.step in saga.by_name:
            yield f"If {saga.pivot.name} is barred: {_given_back(at_stake)}"


def stays(at_stake: MoneyAtStake, *, is_undone: bool, has_facts: bool, is_voided: bool) -> str:
    """Describe what stays at the gateway when a step is settled, and how to give it back.

    `is_undone` says whether the step's compensation is settled, not its action; `has_facts` whether the operator gives
    the service facts for its records; `is_voided` whether money on hold is voided with the settlement.
    """
    money = at_stake.money
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
        instead = "if it is not due any more, have it voided with the settlement: settle with `void`"
    else:
        instead = f"if it is not due any more, {ways} at the gateway"
    return f"{amounts} ({money.reference}): {instead}."


def not_given_back(at_stake: MoneyAtStake, *, has_facts: bool) -> str:
    """Describe what follows when the step that gives money back is settled. `has_facts` as in `stays`."""
    if has_facts:
        return f"Our records take the facts that you give. The gateway is not called to give back {at_stake.refund()}."
    return (
        f"The gateway is not called to give back {at_stake.refund()}, and no other change can give it back: "
        "the customer must have got it in another way."
    )


def _forward(steps: set[str], state: State, at_stake: MoneyAtStake) -> Iterator[str]:
    if at_stake.reader.holds.step in steps and at_stake.money is None:
        yield f"{at_stake.total()} is put on hold."
    if at_stake.reader.takes.step in steps and (at_stake.money is None or not at_stake.money.captured_minor):
        yield f"{at_stake.total()} is taken from what is on hold."
    if at_stake.reader.gives_back.step in steps:
        yield f"{at_stake.refund()} is given back."


def _given_back(at_stake: MoneyAtStake) -> str:
    money = at_stake.money
    if money is None:
        return f"if {at_stake.total()} is on hold without our knowledge, it is voided."
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
    moved = [f"{formatting.money(amount, money.currency)} {what}" for what, amount in amounts.items() if amount]
    return f"{', '.join(moved)} ({money.reference})"
