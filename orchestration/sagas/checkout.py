"""The saga that places an order."""

from datetime import timedelta

from orchestration.contracts import inventory, orders, payments, shipping
from orchestration.protocol.saga import Pivot, Saga, Step, patient

checkout = Saga(
    name="checkout.v1",
    request=orders.CheckoutRequested,
    deadline=timedelta(minutes=15),
    steps=(
        Step(inventory.reserve_stock, compensation=inventory.release_stock),
        Step(payments.authorise_payment, compensation=payments.refund_payment, retry=patient),
        Step(shipping.schedule_shipment, compensation=shipping.cancel_shipment, retry=patient),
        Pivot(orders.place_order),
        Step(payments.capture_payment, retry=patient),
    ),
)
