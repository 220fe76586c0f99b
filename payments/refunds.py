"""`give_back`: refund a part or all of what a checkout has captured, for a change of its order."""

from dataclasses import dataclass

from orchestration.contracts.order_changes import RefundTo
from orchestration.contracts.payments import GiveBack, MoneyGivenBack, give_back
from orchestration.db.connections import borrowed
from orchestration.participant.external import ExternalCommand, Keys
from payments import refund_rows, store_credit
from payments.gateways.choice import gateway
from payments.gateways.port import GatewayRefund, RefundStatus
from payments.models import Destination, Origin, Refund
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
        if request.refund_to == RefundTo.CREDIT:
            store_credit.add(request.customer_id, request.refund_minor, request.currency)
        with borrowed("payments"):  # the gateway may take long
            refund = _set_aside(request)
        made = gateway().refund(refund.payment.authorisation_id, amount_minor=refund.amount_minor, key=keys.own)
        return _given_back(made)

    def find(self, request: GiveBack, keys: Keys) -> GivenBack | None:
        with borrowed("payments"):
            refund = (
                Refund.objects.select_related("payment").filter(saga_id=request.saga_id, step=give_back.step).first()
            )
        if refund is None:
            return None  # nothing was set aside, so the gateway was not called
        payment = gateway().look_up(refund.payment.authorisation_id)
        return next((_given_back(each) for each in payment.refunds if each.key == keys.own), None)

    def reported(self, request: GiveBack, facts: ReportedRefund) -> GivenBack:
        made = GatewayRefund(facts.refund_id, request.refund_minor, RefundStatus.SUCCEEDED)
        return GivenBack(made, Origin.GATEWAY)

    def record(self, request: GiveBack, reply: GivenBack) -> MoneyGivenBack:
        refund = _set_aside(request)
        refund_rows.conclude(refund, reply.refund, origin=reply.origin)
        return MoneyGivenBack(to_card_minor=request.refund_minor, to_credit_minor=0)


def _set_aside(request: GiveBack) -> Refund:
    asked = Refund(
        saga_id=request.saga_id,
        step=give_back.step,
        destination=Destination.CARD,
        amount_minor=request.refund_minor,
        reason=request.reason,
    )
    return refund_rows.set_aside(asked, checkout_id=request.checkout_id)


def _given_back(made: GatewayRefund) -> GivenBack:
    if made.status == RefundStatus.FAILED:
        raise RefundFailed(f"{made.refund_id}: {RefundFailed.__doc__}")
    return GivenBack(made)
