"""The first version of the saga that places an order. Checkouts that began before `checkout.v2` continue by it."""

from datetime import timedelta

from orchestration.contracts import inventory, orders, payments, shipping
from orchestration.protocol.saga import Pivot, Saga, Step, patient

checkout_v1 = Saga(
    name="checkout.v1",
    request=orders.CheckoutRequestedV1,
    deadline=timedelta(minutes=15),
    steps=(
        Step(inventory.reserve_stock, compensation=inventory.release_stock),
        Step(payments.authorise_payment, compensation=payments.refund_payment, retry=patient),
        Step(shipping.schedule_shipment, compensation=shipping.cancel_shipment, retry=patient),
        Pivot(orders.place_order),
        Step(payments.capture_payment, retry=patient),
    ),
)
