"""The sandbox gateway's records, for a comparison with ours."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from payments.gateways.port import RefundStatus
from payments.gateways.sandbox.books import BOOKS
from payments.gateways.sandbox.models import Kind, Operation


@dataclass(frozen=True)
class BookedAuthorisation:
    """One authorisation and its operations. Amounts are in minor units, keys in the order of the operations.

    `refunded_minor` leaves out the refunds that have failed.
    """

    key: str
    authorisation_id: str
    reference: str
    amount_minor: int
    currency: str
    decline_code: str
    captured_minor: int
    refunded_minor: int
    voided: bool
    capture_ids: tuple[str, ...]
    refund_ids: tuple[str, ...]
    later_keys: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        """Whether money is held: neither declined, nor captured, nor voided."""
        return not (self.decline_code or self.capture_ids or self.voided)


def authorisations_by_key(*, now: datetime) -> dict[str, BookedAuthorisation]:
    """Return every authorisation by its key, including the declined ones, after adding those that arrive by `now`."""
    BOOKS.let_arrive(now=now)
    followers = defaultdict(list)
    authorised = []
    for row in Operation.objects.order_by("created_at"):
        if row.kind == Kind.AUTHORISE:
            authorised.append(row)
        else:
            followers[row.authorisation_id].append(row)
    return {row.key: _booked(row, followers[row.id], now) for row in authorised}


def _booked(row: Operation, followers: list[Operation], now: datetime) -> BookedAuthorisation:
    captures = [follower for follower in followers if follower.kind == Kind.CAPTURE]
    refunds = [follower for follower in followers if follower.kind == Kind.REFUND]
    return BookedAuthorisation(
        key=row.key,
        authorisation_id=row.public_id,
        reference=row.reference,
        amount_minor=row.amount_minor,
        currency=row.currency,
        decline_code=row.decline_code,
        captured_minor=sum(capture.amount_minor for capture in captures),
        refunded_minor=sum(each.amount_minor for each in refunds if each.refund_status(now) != RefundStatus.FAILED),
        voided=any(follower.kind == Kind.VOID for follower in followers),
        capture_ids=tuple(capture.public_id for capture in captures),
        refund_ids=tuple(refund.public_id for refund in refunds),
        later_keys=tuple(follower.key for follower in followers),
    )
