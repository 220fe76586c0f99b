"""The saga that places an order."""

from datetime import timedelta

from orchestration.contracts import coupons, inventory, orders, payments, shipping, store_credit
from orchestration.contracts.orders import CheckoutRequested
from orchestration.protocol.saga import Pivot, Saga, Step, patient


def redeems_coupon(request: CheckoutRequested) -> bool:
    """Return whether the customer uses a coupon."""
    return bool(request.coupon)


def claims_coupon(request: CheckoutRequested) -> bool:
    """Return whether the coupon is for one use per customer."""
    return bool(request.coupon_key)


def spends_credit(request: CheckoutRequested) -> bool:
    """Return whether store credit pays a part or all of the order."""
    return request.credit_minor > 0


def pays_by_card(request: CheckoutRequested) -> bool:
    """Return whether the card has to pay anything."""
    return request.total_minor > request.credit_minor


def ships(request: CheckoutRequested) -> bool:
    """Return whether the order needs a parcel."""
    return request.ships


checkout = Saga(
    name="checkout.v2",
    request=CheckoutRequested,
    deadline=timedelta(minutes=15),
    steps=(
        Step(coupons.claim_coupon, compensation=coupons.drop_claim, when=claims_coupon),
        Step(coupons.redeem_coupon, compensation=coupons.return_coupon, when=redeems_coupon),
        Step(inventory.reserve_stock, compensation=inventory.release_stock),
        Step(store_credit.spend_credit, compensation=store_credit.return_credit, when=spends_credit),
        Step(payments.authorise_payment, compensation=payments.refund_payment, retry=patient, when=pays_by_card),
        Step(shipping.schedule_shipment, compensation=shipping.cancel_shipment, retry=patient, when=ships),
        Pivot(orders.place_order),
        Step(coupons.release_coupon, when=claims_coupon),
        Step(payments.capture_payment, retry=patient, when=pays_by_card),
    ),
)
