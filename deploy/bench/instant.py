"""A gateway and a carrier that answer at once and store nothing, so that only the shop is measured.

Every answer is derived from the key, so a repeated call gets the first answer from any process.
"""

from payments.gateways.port import (
    AuthorisationRequest,
    CardDeclined,
    GatewayPayment,
    GatewayRefund,
    PaymentStatus,
    RefundStatus,
)
from shipping.carriers.port import Booking, BookingStatus, Parcel

DECLINED = "tok_declined"


class InstantGateway:
    """A `payments.gateways.port.Gateway`; it declines the card `tok_declined`."""

    key_lifetime = None

    def authorise(self, request: AuthorisationRequest, *, key: str) -> GatewayPayment:
        if request.payment_method == DECLINED:
            raise CardDeclined
        return GatewayPayment(f"auth-{key}", PaymentStatus.AUTHORISED)

    def capture(self, authorisation_id: str, *, amount_minor: int, key: str) -> GatewayPayment:
        return GatewayPayment(authorisation_id, PaymentStatus.CAPTURED, f"capture-{key}", amount_minor)

    def void(self, authorisation_id: str, *, key: str) -> GatewayPayment:
        return GatewayPayment(authorisation_id, PaymentStatus.VOIDED)

    def refund(self, authorisation_id: str, *, amount_minor: int, key: str) -> GatewayRefund:
        return GatewayRefund(f"refund-{key}", amount_minor, RefundStatus.SUCCEEDED, key)

    def find(self, *, key: str, reference: str) -> GatewayPayment | None:
        return None

    def look_up(self, authorisation_id: str) -> GatewayPayment:
        return GatewayPayment(authorisation_id, PaymentStatus.AUTHORISED)


class InstantCarrier:
    """A `shipping.carriers.port.Carrier`."""

    key_lifetime = None

    def book(self, parcel: Parcel, *, key: str) -> Booking:
        return Booking(f"parcel-{key}", BookingStatus.BOOKED)

    def cancel(self, tracking_number: str, *, key: str) -> Booking:
        return Booking(tracking_number, BookingStatus.CANCELLED)

    def find(self, *, key: str, reference: str) -> Booking | None:
        return None

    def look_up(self, tracking_number: str) -> Booking:
        return Booking(tracking_number, BookingStatus.BOOKED)
