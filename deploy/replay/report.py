"""The result of a replayed file, in rows, invoices and pence."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from deploy.replay.placers import Result
from deploy.replay.plan import CancellationInvoice, Invoice, Plan, Reason
from deploy.replay.run import Replayed


@dataclass(frozen=True)
class Report:
    """Compares a plan with the outcomes of its orders."""

    plan: Plan
    replayed: Sequence[Replayed]
    seconds: float

    def with_result(self, result: Result) -> list[Replayed]:
        return [item for item in self.replayed if item.outcome.result is result]

    @property
    def differing(self) -> list[Replayed]:
        """Orders and cancellations whose money is not the amount in the file."""
        made = self.with_result(Result.PLACED) + self.with_result(Result.GIVEN_BACK)
        return [item for item in made if item.outcome.total_minor != item.invoice.total_minor]

    @cached_property
    def totals(self) -> dict[str, Decimal]:
        """Sums in pence: of the whole file, and of each part of it.

        For placed orders, the stored orders count; for money given back, the stored changes.
        """
        return {
            "file": self.plan.total_pence,
            "placed": _made(self.with_result(Result.PLACED)),
            "given_back": _made(self.with_result(Result.GIVEN_BACK)),
            "refused": _asked(self.with_result(Result.REFUSED)),
            "undecided": _asked(self.with_result(Result.UNDECIDED)),
            "skipped": sum((item.row.total_pence for item in self.plan.skipped), Decimal(0)),
        }

    @property
    def agrees(self) -> bool:
        """Whether every penny of the file is accounted for."""
        totals = self.totals
        accounted = sum((totals[name] for name in (*Result, "skipped")), Decimal(0))
        return not self.differing and accounted == totals["file"]

    @property
    def nothing_to_order(self) -> int:
        """How many invoices of the file have no row that could be ordered or given back."""
        return self.plan.invoices_read - len(self.plan.invoices) - len(self.plan.cancellations)

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values. Amounts are in pence."""
        plan = self.plan
        return {
            "invoices": {
                "read": plan.invoices_read,
                **{result.value: len(self.with_result(result)) for result in Result},
                "nothing_to_order": self.nothing_to_order,
            },
            "lines": {
                "read": plan.rows_read,
                "ordered": _lines(plan.invoices),
                "given_back": _lines(plan.cancellations),
                "skipped": len(plan.skipped),
            },
            "total_minor": {name: _number(pence) for name, pence in self.totals.items()},
            "agrees": self.agrees,
            "differing": [item.invoice.number for item in self.differing],
            "refused": [_not_placed(item) for item in self.with_result(Result.REFUSED)],
            "undecided": [_not_placed(item) for item in self.with_result(Result.UNDECIDED)],
            "skipped": [
                {
                    "row": item.row.number,
                    "invoice": item.row.invoice,
                    "code": item.row.code,
                    "reason": item.reason,
                    "total_minor": _number(item.row.total_pence),
                }
                for item in plan.skipped
            ],
            "seconds": round(self.seconds, 3),
        }

    def as_table(self) -> Iterator[str]:
        """Format the report as lines of text."""
        plan, totals = self.plan, self.totals
        yield f"{plan.invoices_read} invoices, {plan.rows_read} lines read"
        yield f"{'':<34}{'orders':>8}{'lines':>8}{'pence':>16}"
        for result in Result:
            items = self.with_result(result)
            yield _table_row(result, len(items), _lines(item.invoice for item in items), totals[result])
            codes = Counter(item.outcome.code for item in items if item.outcome.code)
            yield from (f"  {code:<32}{count:>8}" for code, count in sorted(codes.items()))
        yield _table_row("skipped (no order left: orders)", self.nothing_to_order, len(plan.skipped), totals["skipped"])
        for reason, count in sorted(Counter(item.reason for item in plan.skipped).items()):
            pence = sum((item.row.total_pence for item in plan.skipped if item.reason is reason), Decimal(0))
            yield _table_row(f"  {reason}", "", count, pence)
        yield from self._cancellations_of_no_order()
        yield _table_row("file", plan.invoices_read, plan.rows_read, totals["file"])
        yield f"{len(self.replayed)} invoices decided or given up in {self.seconds:.1f} s"
        yield "totals agree, to the penny" if self.agrees else f"TOTALS DIFFER: {_numbers(self.differing)}"

    def _cancellations_of_no_order(self) -> Iterator[str]:
        skipped = (item.row.invoice for item in self.plan.skipped if item.reason is Reason.NAMES_NO_ORDER)
        if numbers := dict.fromkeys(skipped):
            yield f"  cancellations that name no order of the file: {', '.join(numbers)}"


def _made(items: Iterable[Replayed]) -> Decimal:
    return Decimal(sum(item.outcome.total_minor for item in items))


def _asked(items: Iterable[Replayed]) -> Decimal:
    return Decimal(sum(item.invoice.total_minor for item in items))


def _lines(invoices: Iterable[Invoice | CancellationInvoice]) -> int:
    return sum(len(invoice.lines) for invoice in invoices)


def _not_placed(item: Replayed) -> dict[str, Any]:
    return {
        "invoice": item.invoice.number,
        "code": item.outcome.code,
        "lines": len(item.invoice.lines),
        "total_minor": item.invoice.total_minor,
    }


def _numbers(items: Iterable[Replayed]) -> str:
    return ", ".join(f"invoice {item.invoice.number}" for item in items) or "pence are missing"


def _table_row(name: str, orders: object, lines: int, pence: Decimal) -> str:
    return f"{name:<34}{orders!s:>8}{lines:>8}{_number(pence)!s:>16}"


def _number(pence: Decimal) -> int | float:
    """Return whole pence as an int. A file may contain fractions of a penny."""
    return int(pence) if pence == int(pence) else float(pence)
