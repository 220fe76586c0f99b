"""`give_back`: refund a part or all of what was paid for an order, to the card or to store credit."""

from dataclasses import dataclass

from orchestration.contracts.payments import GiveBack, MoneyGivenBack
from orchestration.db.connections import borrowed
from orchestration.participant.external import ExternalCommand, Keys
from payments import refund_rows
from payments.gateways.choice import gateway
from payments.gateways.port import GatewayRefund, RefundStatus
from payments.models import Origin
from payments.services import RefundFailed


@dataclass(frozen=True)
class ReportedRefund:
    """The id of the refund that you made at the gateway, or of the transfer by which the money went back."""

    refund_id: str


@dataclass(frozen=True)
class GivenBack:
    """The refund at the gateway; None when there was nothing to give back to the card. `origin` says who made it."""

    refund: GatewayRefund | None
    origin: Origin = Origin.OURS


class ChangeRefund(ExternalCommand[GiveBack, GivenBack]):
    """`give_back`: set the amount aside, then have the gateway refund it.

    The amount is set aside, and committed, before the gateway is called. So two refunds can never both be called when
    only one of them fits into what was captured.
    """

    facts = ReportedRefund

    def local_reply(self, request: GiveBack) -> GivenBack | None:
        return None if request.refund_minor else GivenBack(None)

    def call(self, request: GiveBack, keys: Keys) -> GivenBack:
        with borrowed("payments"):  # the gateway may take long
            refund = refund_rows.to_card(refund_rows.set_aside(request))
        if refund is None or refund.payment is None:
            return GivenBack(None)
        made = gateway().refund(refund.payment.authorisation_id, amount_minor=refund.amount_minor, key=keys.own)
        return _given_back(made)

    def find(self, request: GiveBack, keys: Keys) -> GivenBack | None:
        with borrowed("payments"):
            refunds = refund_rows.refunds_of(request.saga_id)
        if not refunds:
            return None  # nothing was set aside, so the gateway was not called
        refund = refund_rows.to_card(refunds)
        if refund is None or refund.payment is None:
            return GivenBack(None)
        payment = gateway().look_up(refund.payment.authorisation_id)
        return next((_given_back(each) for each in payment.refunds if each.key == keys.own), None)

    def reported(self, request: GiveBack, facts: ReportedRefund) -> GivenBack:
        made = GatewayRefund(facts.refund_id, request.refund_minor, RefundStatus.SUCCEEDED)
        return GivenBack(made, Origin.GATEWAY)

    def record(self, request: GiveBack, reply: GivenBack) -> MoneyGivenBack:
        refund = refund_rows.to_card(refund_rows.set_aside(request))
        if refund is not None:
            refund_rows.conclude(refund, reply.refund, origin=reply.origin)
        to_card_minor = refund.amount_minor if refund else 0
        return MoneyGivenBack(to_card_minor, request.refund_minor - to_card_minor)


def _given_back(made: GatewayRefund) -> GivenBack:
    if made.status == RefundStatus.FAILED:
        raise RefundFailed(f"{made.refund_id}: {RefundFailed.__doc__}")
    return GivenBack(made)
