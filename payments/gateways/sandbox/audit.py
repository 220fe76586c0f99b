"""Reads and checks the sandbox gateway's own records, separately from those of the payments service."""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import groupby
from operator import attrgetter

from django.db.models import BigIntegerField, Case, Exists, F, OuterRef, Q, Sum, Value, When
from django.utils import timezone

from orchestration.contracts.audit import Checked, GatewayAccount
from orchestration.contracts.payments import authorise_payment
from orchestration.participant.audit import BATCH, AuditedBooks, one_for_an_order
from orchestration.participant.selection import Selection
from orchestration.text.formatting import money
from payments.gateways.choice import gateway
from payments.gateways.port import PaymentStatus, RefundStatus
from payments.gateways.sandbox.gateway import SandboxGateway
from payments.gateways.sandbox.models import Kind, LateArrival, Operation


def can_be_read() -> bool:
    """Return whether this process's gateway is the sandbox."""
    return isinstance(gateway(), SandboxGateway)


def read_accounts(chosen: Selection) -> Iterator[GatewayAccount]:
    """Yield the authorisations, including those declined and those that have not arrived yet."""
    yield from _arrived(chosen)
    yield from _on_their_way(chosen)


def account_of(operations: Iterable[Operation]) -> GatewayAccount:
    """Return one authorisation, built from its operations in the order in which they were made."""
    now = timezone.now()
    of_kind: dict[str, list[Operation]] = defaultdict(list)
    for operation in operations:
        of_kind[operation.kind].append(operation)
    [authorised], captures, refunds = of_kind[Kind.AUTHORISE], of_kind[Kind.CAPTURE], of_kind[Kind.REFUND]
    lasting = [row for row in refunds if row.refund_status(now) != RefundStatus.FAILED]
    captured_minor, refunded_minor = (sum(row.amount_minor for row in rows) for rows in (captures, lasting))
    return GatewayAccount(
        authorisation_id=authorised.public_id,
        keys=(authorised.key, *(row.key for kind, rows in of_kind.items() if kind != Kind.AUTHORISE for row in rows)),
        reference=authorised.reference,
        status=str(_status(of_kind, is_repaid=bool(lasting) and captured_minor == refunded_minor)),
        currency=sys.intern(authorised.currency),
        amount_minor=authorised.amount_minor,
        declined=bool(authorised.decline_code),
        captured_minor=captured_minor,
        refunded_minor=refunded_minor,
        voided=bool(of_kind[Kind.VOID]),
        capture_id=captures[0].public_id if captures else None,
    )


def check(accounts: Sequence[GatewayAccount]) -> Iterator[Checked]:
    """Check A4, Q5 and R1: one hold an order; no more captured than held; no more refunded than captured."""
    held: dict[str, list[str]] = defaultdict(list)
    for account in accounts:
        if not account.declined:
            held[account.reference].append(account.keys[0])
    for reference, made_under in held.items():
        message = f"The gateway made {len(made_under)} authorisations for one order."
        yield one_for_an_order(message, reference, made_under)
    for account in accounts:
        ids = {"order": account.reference, "authorisation": account.authorisation_id}
        yield Checked("Q5", tuple(_capture_faults(account)), ids)
        yield Checked("R1", tuple(_refund_faults(account)), ids)


def leftovers(accounts: Sequence[GatewayAccount]) -> Iterator[str]:
    """Yield what one compensated checkout has left behind."""
    kept = Counter[str]()
    for account in accounts:
        kept[account.currency] += account.net_minor
    for currency, net_minor in kept.items():
        if net_minor:
            yield f"the gateway has kept {money(net_minor, currency)}"


def kept(left_out: Sequence[Selection]) -> Counter[str]:
    """Return the money captured less refunded, in minor units by currency.

    Sagas `left_out` do not count: neither their payments, nor refunds that they made of the payments of other sagas.
    """
    counted = ~Q(kind=Kind.REFUND, fails_at__lte=timezone.now())
    for selection in left_out:
        counted &= ~selection.keys("authorisation__key") & ~(Q(kind=Kind.REFUND) & selection.keys())
    sign = Case(When(kind=Kind.REFUND, then=Value(-1)), default=Value(1), output_field=BigIntegerField())
    moved = Operation.objects.filter(counted, kind__in=(Kind.CAPTURE, Kind.REFUND)).order_by().values_list("currency")
    return Counter(dict(moved.annotate(kept=Sum(F("amount_minor") * sign))))


def _status(of_kind: Mapping[str, Sequence[Operation]], *, is_repaid: bool) -> PaymentStatus:
    if of_kind.get(Kind.VOID):
        return PaymentStatus.VOIDED
    if not of_kind.get(Kind.CAPTURE):
        return PaymentStatus.AUTHORISED
    return PaymentStatus.REFUNDED if is_repaid else PaymentStatus.CAPTURED


def _capture_faults(account: GatewayAccount) -> Iterator[str]:
    if account.captured_minor > account.amount_minor:
        yield (
            f"The gateway held {money(account.amount_minor, account.currency)} "
            f"and captured {money(account.captured_minor, account.currency)}."
        )


def _refund_faults(account: GatewayAccount) -> Iterator[str]:
    if account.refunded_minor > account.captured_minor:
        yield (
            f"The gateway captured {money(account.captured_minor, account.currency)} "
            f"and refunded {money(account.refunded_minor, account.currency)}."
        )


def _arrived(chosen: Selection) -> Iterator[GatewayAccount]:
    first = Operation.objects.filter(chosen.keys(), authorisation=None).annotate(payment=F("id")).order_by("payment")
    later = Operation.objects.filter(chosen.keys("authorisation__key"), authorisation__isnull=False)
    later = later.annotate(payment=F("authorisation_id")).order_by("payment", "created_at")
    of_payment = attrgetter("payment")
    rows = merge(first.iterator(BATCH), later.iterator(BATCH), key=of_payment)
    for _, operations in groupby(rows, key=of_payment):
        yield account_of(operations)


def _on_their_way(chosen: Selection) -> Iterator[GatewayAccount]:
    taken = Exists(Operation.objects.filter(key=OuterRef("key")))
    for late in LateArrival.objects.filter(chosen.keys()).exclude(taken).iterator(BATCH):
        yield GatewayAccount(
            authorisation_id="",
            keys=(late.key,),
            reference=late.reference,
            status=str(PaymentStatus.AUTHORISED),
            currency=late.currency,
            amount_minor=late.amount_minor,
            arrived=False,
        )


books = AuditedBooks(
    facts=GatewayAccount,
    name="gateway",
    action=authorise_payment,
    needed_for="A4 Q2 Q3 Q4 Q5 Q6 R1",
    can_be_read=can_be_read,
    read=read_accounts,
    leftovers=leftovers,
    check=check,
    kept=kept,
)
