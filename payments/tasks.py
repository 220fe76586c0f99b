"""What payments answers to."""

from orchestration.contracts import payments
from orchestration.participant.batch import Together
from orchestration.participant.breaker_registry import breaker_for
from orchestration.participant.external import Outside, Told
from orchestration.participant.money import MoneyReader
from orchestration.participant.participant import Participant
from orchestration.participant.registration import register
from orchestration.participant.search_key import Finder
from payments import free, repairs, selectors, services
from payments.gateways.choice import gateway
from payments.gateways.port import OUTAGES
from payments.models import Ledger

_breaker = breaker_for("payments.gateway", counts=OUTAGES)
_key_lifetime = gateway().key_lifetime

participant = register(
    Participant(
        service="payments",
        ledger=Ledger,
        commands={
            payments.authorise_payment: Outside(
                call=services.authorise_payment,
                find=services.find_authorised_payment,
                record=Together(services.record_authorised_payment),
                breaker=_breaker,
                key_lifetime=_key_lifetime,
                told=Told(services.AuthorisationTold, services.told_authorised_payment),
                check=services.check_payment_method,
                local_reply=free.authorised,
            ),
            payments.refund_payment: Outside(
                call=services.refund_payment,
                find=services.find_refunded_payment,
                record=services.record_refunded_payment,
                breaker=_breaker,
                key_lifetime=_key_lifetime,
                told=Told(services.ReversalTold, services.told_refunded_payment),
                local_reply=free.refunded,
            ),
            payments.capture_payment: Outside(
                call=services.capture_payment,
                find=services.find_captured_payment,
                record=Together(services.record_captured_payment),
                breaker=_breaker,
                key_lifetime=_key_lifetime,
                told=Told(services.CaptureTold, services.told_captured_payment),
                local_reply=free.captured,
            ),
            payments.reverse_leftover_payment: Outside(
                call=repairs.reverse_leftover_payment,
                find=repairs.find_reversed_leftover_payment,
                record=repairs.record_reversed_leftover_payment,
                breaker=_breaker,
                key_lifetime=_key_lifetime,
                local_reply=free.leftover_reversed,
            ),
            payments.confirm_capture_settled: repairs.confirm_capture_settled,
            payments.void_settled_hold: Outside(
                call=repairs.void_settled_hold,
                find=repairs.find_voided_hold,
                record=repairs.record_voided_hold,
                breaker=_breaker,
                key_lifetime=_key_lifetime,
            ),
        },
        queries={payments.money_held: selectors.money_held},
        money=MoneyReader(
            of_sagas=selectors.money_of_sagas, holds=payments.authorise_payment, takes=payments.capture_payment
        ),
        finders=(Finder("gateway reference", selectors.found_by_reference),),
    )
)
