"""The changes that staff can make to an order in the admin."""

from dataclasses import dataclass

from orchestration.contracts.order_changes import ChangeKind
from orders.api.access import CANCEL_ORDER, DISPATCH_ORDER, RECEIVE_RETURN, REFUND_ORDER


@dataclass(frozen=True)
class KindOfChange:
    """A kind of change, with the verb on its button, the permission for it, and what it is for."""

    kind: ChangeKind
    verb: str
    permission: str
    meaning: str

    @property
    def moves_money(self) -> bool:
        return self.kind is not ChangeKind.DISPATCH


KINDS = {
    each.verb: each
    for each in (
        KindOfChange(ChangeKind.DISPATCH, "dispatch", DISPATCH_ORDER, "Record that the carrier has taken a parcel."),
        KindOfChange(ChangeKind.REFUND, "refund", REFUND_ORDER, "Give back a part or all of the money."),
        KindOfChange(ChangeKind.CANCEL, "cancel", CANCEL_ORDER, "Stop the parcel and give the money back."),
        KindOfChange(ChangeKind.RETURN, "receive", RECEIVE_RETURN, "Record that a returned parcel has come back."),
    )
}
"""The kinds by verb."""
