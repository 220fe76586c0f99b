"""The money line of a saga: the amounts in our records, and which of them are uncertain."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from orchestration.contracts.orders import card_minor
from orchestration.db import deadline
from orchestration.engine.selectors import SERVICES_READ_WITHIN
from orchestration.operators.insight.saga_view import SagaView
from orchestration.operators.insight.sources import Unavailable, read
from orchestration.participant.ledger import LedgerRow, Status
from orchestration.participant.money import Money, MoneyReader
from orchestration.participant.participant import Participant, participants
from orchestration.text import formatting


@dataclass(frozen=True)
class MoneyLine:
    """One saga's money in minor units of an ISO 4217 currency; none is negative.

    `on_hold_minor` is authorised and neither captured nor voided. `out_of_pocket_minor` is captured and not refunded.
    `in_limbo_minor` is what a call with an unknown outcome moves; it may be part of either of those.
    """

    authorised_minor: int
    captured_minor: int
    voided_minor: int
    refunded_minor: int
    on_hold_minor: int
    out_of_pocket_minor: int
    in_limbo_minor: int
    currency: str
    reference: str

    def __str__(self) -> str:
        amounts = {
            "authorised": self.authorised_minor,
            "captured": self.captured_minor,
            "voided": self.voided_minor,
            "refunded": self.refunded_minor,
        }
        moved = [f"{formatting.money(amount, self.currency)} {what}" for what, amount in amounts.items() if amount]
        limbo = formatting.money(self.in_limbo_minor, self.currency)
        doubt = f"; {limbo} in limbo: the outcome of a call is unknown" if self.in_limbo_minor else ""
        now = formatting.money(self.out_of_pocket_minor, self.currency)
        return f"{', '.join(moved) or 'nothing authorised'}; out of pocket now: {now}{doubt}"


def money_of(view: SagaView) -> MoneyLine | Unavailable | None:
    """Return the money line of a saga; None if it has moved no money so far."""
    participant = next((each for each in participants().values() if each.money), None)
    if participant is None or participant.money is None:
        return None
    with deadline.within(SERVICES_READ_WITHIN):
        found = read(
            f"the database of {participant.service}", lambda: _recorded(participant, UUID(str(view.instance.pk)))
        )
    if isinstance(found, Unavailable):
        return found
    rows = view.ledgers.get(participant.service)
    return money_line(found, participant.money, rows or (), view.instance.request)


def money_line(
    money: Money | None, reader: MoneyReader, rows: Iterable[LedgerRow], request: Mapping[str, Any]
) -> MoneyLine | None:
    """Combine the service's records, its ledger rows and the saga's request into a money line. Pure."""
    open_steps = {row.step: row for row in rows if row.status in (Status.STARTED, Status.UNDOING)}
    currency = request.get("currency")
    if money is None:
        if reader.holds.step not in open_steps or "total_minor" not in request or not isinstance(currency, str):
            return None
        return MoneyLine(0, 0, 0, 0, 0, 0, card_minor(request), currency, "")
    limbo = _limbo(money, reader, open_steps)
    return MoneyLine(
        authorised_minor=money.authorised_minor,
        captured_minor=money.captured_minor,
        voided_minor=money.voided_minor,
        refunded_minor=money.refunded_minor,
        on_hold_minor=money.held_minor,
        out_of_pocket_minor=money.kept_minor,
        in_limbo_minor=limbo,
        currency=money.currency,
        reference=money.reference,
    )


def _limbo(money: Money, reader: MoneyReader, open_steps: Mapping[str, LedgerRow]) -> int:
    """Return the amount that a call with an unknown outcome captures or gives back."""
    if (held := open_steps.get(reader.holds.step)) and held.status == Status.UNDOING:
        return money.kept_minor or money.held_minor
    if reader.takes.step in open_steps:
        return money.held_minor
    return money.requested_minor if reader.gives_back.step in open_steps else 0


def _recorded(participant: Participant, saga_id: UUID) -> Money | None:
    return participant.money.of_sagas([saga_id]).get(saga_id) if participant.money else None
