"""Places many past orders and then gives units back, several at a time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from deploy.replay.placers import NOT_PLACED, Outcome, Placer, Result
from deploy.replay.plan import CancellationInvoice, Invoice, Plan

AnInvoice = TypeVar("AnInvoice", Invoice, CancellationInvoice)


@dataclass(frozen=True)
class Replayed:
    """An invoice and its outcome."""

    invoice: Invoice | CancellationInvoice
    outcome: Outcome


def replay(placer: Placer, plan: Plan, *, concurrency: int, on_decided: Callable[[], None]) -> list[Replayed]:
    """Place every order, and then give back what the cancellations say, `concurrency` at a time.

    The first error stops those not begun, and is raised.
    """

    def give_back(cancellation: CancellationInvoice) -> Outcome:
        ordered = outcomes[cancellation.order.number]
        return placer.give_back(cancellation, ordered.order_id) if ordered.result is Result.PLACED else NOT_PLACED

    placed = _decided(plan.invoices, placer.place, concurrency, on_decided)
    outcomes = {item.invoice.number: item.outcome for item in placed}
    return placed + _decided(plan.cancellations, give_back, concurrency, on_decided)


def _decided(
    invoices: Sequence[AnInvoice],
    decide: Callable[[AnInvoice], Outcome],
    concurrency: int,
    on_decided: Callable[[], None],
) -> list[Replayed]:
    left = iter(invoices)
    decided: list[Replayed] = []

    def work() -> None:
        for invoice in left:
            decided.append(Replayed(invoice, decide(invoice)))
            on_decided()

    with ThreadPoolExecutor(concurrency) as pool:
        workers = [pool.submit(work) for _ in range(concurrency)]
        try:
            for worker in workers:
                worker.result()
        finally:
            list(left)  # drop the rest: after an interrupt, the other threads begin no further order
    return decided
