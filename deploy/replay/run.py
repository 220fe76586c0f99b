"""Places many past orders, several at a time."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from deploy.replay.placers import Outcome, Placer
from deploy.replay.plan import Invoice


@dataclass(frozen=True)
class Replayed:
    """An invoice and its outcome."""

    invoice: Invoice
    outcome: Outcome


def replay(
    placer: Placer, invoices: Sequence[Invoice], *, concurrency: int, on_decided: Callable[[], None]
) -> list[Replayed]:
    """Place every invoice, `concurrency` at a time; the first error stops those not begun, and is raised."""
    left = iter(invoices)
    decided: list[Replayed] = []

    def work() -> None:
        for invoice in left:
            decided.append(Replayed(invoice, placer.place(invoice)))
            on_decided()

    with ThreadPoolExecutor(concurrency) as pool:
        workers = [pool.submit(work) for _ in range(concurrency)]
        try:
            for worker in workers:
                worker.result()
        finally:
            list(left)  # drop the rest: after an interrupt, the other threads begin no further order
    return decided
