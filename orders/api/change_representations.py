"""How changes of orders and return requests are described in the OpenAPI document."""

from typing import Any

from rest_framework import serializers

from orchestration.contracts.order_changes import ChangeKind, RefundTo
from orders.api.representations import ACCEPTED, Money, StepProgress
from orders.models import ReturnRequest

KINDS = [kind.value for kind in ChangeKind]
DESTINATIONS = [destination.value for destination in RefundTo]
CHANGE_STATUSES = [*ACCEPTED, "confirmed", "failed"]
RETURN_STATES = [*ReturnRequest.State.values, ReturnRequest.EXPIRED]


class UnitsShown(serializers.Serializer[Any]):
    sku = serializers.CharField()
    quantity = serializers.IntegerField()


class ChangeFailureShown(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="For programs: order_busy, already_dispatched, refund_exceeds_paid, …")
    detail = serializers.CharField(help_text="For people.")


class AcceptedChangeShown(serializers.Serializer[Any]):
    """A change as it was accepted; every reply to the same Idempotency-Key is the same."""

    id = serializers.UUIDField()
    order_id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=KINDS)
    status = serializers.ChoiceField(choices=ACCEPTED)
    created_at = serializers.DateTimeField()


class ChangeShown(AcceptedChangeShown):
    """A change of an order."""

    status = serializers.ChoiceField(
        choices=CHANGE_STATUSES,
        help_text="confirmed and failed are final. A confirmed change cannot be undone.",
    )
    lines = UnitsShown(many=True, help_text="The units that it moves or gives money back for.")
    amount = Money(allow_null=True, help_text="The money that it gives back; null while that is not known.")
    refund_to = serializers.ChoiceField(choices=DESTINATIONS, allow_null=True)
    parcel_number = serializers.CharField(help_text="Of a further parcel; empty for the one that is booked already.")
    return_id = serializers.UUIDField(allow_null=True, help_text="The return request that it fulfils.")
    reason = serializers.CharField()
    requested_by = serializers.CharField(help_text="`customer` or `staff`; staff see the user name instead.")
    failure = ChangeFailureShown(allow_null=True, help_text="Why the order was not changed.")


class ChangeState(ChangeShown):
    """Where a change of an order stands."""

    steps = StepProgress(many=True, help_text="Empty if it was made so long ago that only its result is kept.")
    decided_at = serializers.DateTimeField(allow_null=True)


class ReturnShown(serializers.Serializer[Any]):
    """A request to send units of an order back."""

    id = serializers.UUIDField()
    order_id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=RETURN_STATES)
    lines = UnitsShown(many=True)
    reason = serializers.CharField()
    requested_by = serializers.CharField(help_text="`customer` or `staff`; staff see the user name instead.")
    requested_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(help_text="Until when the parcel must be received.")
