"""The sandbox gateway's own books (A4, Q5), read apart from what payments believes."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import merge
from itertools import chain, groupby
from operator import attrgetter
from uuid import UUID

from django.db.models import Exists, F, OuterRef

from orchestration.operators.audit import keys
from orchestration.operators.audit.findings import Findings
from orchestration.operators.audit.read_only import BATCH
from orchestration.participant.selection import EVERYTHING, Selection
from orchestration.text.formatting import money
from payments.gateways.port import PaymentStatus
from payments.gateways.sandbox.models import Kind, LateArrival, Operation


@dataclass(frozen=True, slots=True)
class Account:
    """One authorisation and what was done with it; not `arrived` while the gateway will only hear of it."""

    authorisation_id: str
    keys: tuple[str, ...]
    """Every key used on it, the authorisation's own first."""
    reference: str
    currency: str
    amount_minor: int
    declined: bool
    captured_minor: int = 0
    refunded_minor: int = 0
    voided: bool = False
    capture_id: str | None = None
    refund_id: str | None = None
    arrived: bool = True

    @property
    def is_open(self) -> bool:
        """Whether money is held, or will be."""
        return not (self.declined or self.voided or self.capture_id)

    @property
    def net_minor(self) -> int:
        return self.captured_minor - self.refunded_minor

    @property
    def status(self) -> PaymentStatus:
        if self.voided:
            return PaymentStatus.VOIDED
        if self.capture_id is None:
            return PaymentStatus.AUTHORISED
        refunded = self.refund_id is not None and self.net_minor == 0
        return PaymentStatus.REFUNDED if refunded else PaymentStatus.CAPTURED


Accounts = Mapping[UUID | None, list[Account]]
"""By the saga that the authorisation's key names; None: by none."""


def read(chosen: Selection = EVERYTHING) -> Accounts:
    """The authorisations, also those declined and those still on their way."""
    found: dict[UUID | None, list[Account]] = defaultdict(list)
    for account in chain(_arrived(chosen), _on_their_way(chosen)):
        found[keys.saga_of(account.keys[0])].append(account)
    return dict(found)


def account_of(operations: Iterable[Operation]) -> Account:
    """One authorisation, from the operations on it in the order they were made."""
    of_kind: dict[str, list[Operation]] = defaultdict(list)
    for operation in operations:
        of_kind[operation.kind].append(operation)
    [authorised], captures, refunds = of_kind[Kind.AUTHORISE], of_kind[Kind.CAPTURE], of_kind[Kind.REFUND]
    return Account(
        authorisation_id=authorised.public_id,
        keys=(authorised.key, *(row.key for kind, rows in of_kind.items() if kind != Kind.AUTHORISE for row in rows)),
        reference=authorised.reference,
        currency=sys.intern(authorised.currency),
        amount_minor=authorised.amount_minor,
        declined=bool(authorised.decline_code),
        captured_minor=sum(row.amount_minor for row in captures),
        refunded_minor=sum(row.amount_minor for row in refunds),
        voided=bool(of_kind[Kind.VOID]),
        capture_id=captures[0].public_id if captures else None,
        refund_id=refunds[-1].public_id if refunds else None,
    )


def check(accounts: Accounts, findings: Findings) -> None:
    """A4 and Q5, inside the gateway's books: one hold an order; no more taken than held, or given back than taken."""
    everything = [account for of_saga in accounts.values() for account in of_saga]
    held: dict[str, list[str]] = defaultdict(list)
    for account in everything:
        if not account.declined:
            held[account.reference].append(account.keys[0])
    for reference, made_under in held.items():
        findings.look_at("A4")
        if len(made_under) > 1:
            message = f"The gateway made {len(made_under)} authorisations for one order."
            findings.violated("A4", message, order=reference, key=made_under[0], other_key=made_under[1])
    for account in everything:
        findings.look_at("Q5")
        if not 0 <= account.refunded_minor <= account.captured_minor <= account.amount_minor:
            findings.violated(
                "Q5",
                f"The gateway held {money(account.amount_minor, account.currency)}, "
                f"captured {money(account.captured_minor, account.currency)} "
                f"and refunded {money(account.refunded_minor, account.currency)}.",
                order=account.reference,
                authorisation=account.authorisation_id,
            )


def _arrived(chosen: Selection) -> Iterable[Account]:
    first = Operation.objects.filter(chosen.keys(), authorisation=None).annotate(payment=F("id")).order_by("payment")
    later = Operation.objects.filter(chosen.keys("authorisation__key"), authorisation__isnull=False)
    later = later.annotate(payment=F("authorisation_id")).order_by("payment", "created_at")
    of_payment = attrgetter("payment")
    rows = merge(first.iterator(BATCH), later.iterator(BATCH), key=of_payment)
    for _, operations in groupby(rows, key=of_payment):
        yield account_of(operations)


def _on_their_way(chosen: Selection) -> Iterable[Account]:
    taken = Exists(Operation.objects.filter(key=OuterRef("key")))
    for late in LateArrival.objects.filter(chosen.keys()).exclude(taken).iterator(BATCH):
        yield Account("", (late.key,), late.reference, late.currency, late.amount_minor, False, arrived=False)
