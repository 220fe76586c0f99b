"""The sandbox gateway's own books (A4, Q5), read apart from what payments believes."""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.db.models.functions import Coalesce

from config.audit import keys
from config.audit.findings import Findings
from config.audit.snapshots import BATCH
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


def read() -> Accounts:
    """Every authorisation, also those declined and those still on their way."""
    found: dict[UUID | None, list[Account]] = defaultdict(list)
    for account in (*_arrived(), *_on_their_way()):
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
    held = Counter(account.reference for account in everything if not account.declined)
    for reference, count in held.items():
        findings.look_at("A4")
        if count > 1:
            findings.violated("A4", f"The gateway made {count} authorisations for one order.", order=reference)
    for account in everything:
        findings.look_at("Q5")
        if not 0 <= account.refunded_minor <= account.captured_minor <= account.amount_minor:
            findings.violated(
                "Q5",
                f"The gateway held {account.amount_minor}, captured {account.captured_minor} "
                f"and refunded {account.refunded_minor}.",
                order=account.reference,
                authorisation=account.authorisation_id,
            )


def _arrived() -> Iterable[Account]:
    rows = Operation.objects.annotate(payment=Coalesce("authorisation_id", "id")).order_by("payment", "created_at")
    for _, operations in groupby(rows.iterator(BATCH), key=attrgetter("payment")):
        yield account_of(operations)


def _on_their_way() -> Iterable[Account]:
    taken = Exists(Operation.objects.filter(key=OuterRef("key")))
    for late in LateArrival.objects.exclude(taken).iterator(BATCH):
        yield Account("", (late.key,), late.reference, late.currency, late.amount_minor, False, arrived=False)
