"""The payments service's commands as tasks."""

from orchestration.contracts import payments
from orchestration.participant.breaker_registry import breaker_for
from orchestration.participant.lock_tables import LockTables
from orchestration.participant.money import MoneyReader
from orchestration.participant.participant import Participant
from orchestration.participant.registration import register
from orchestration.participant.search_key import Finder
from payments import refunds, repairs, selectors, services
from payments.audit import audit
from payments.gateways.choice import gateway
from payments.gateways.port import OUTAGES
from payments.models import Guard, Hold, Ledger, Turn

_breaker = breaker_for("payments.gateway", counts=OUTAGES)
_key_lifetime = gateway().key_lifetime

participant = register(
    Participant(
        service="payments",
        ledger=Ledger,
        locks=LockTables(guard=Guard, hold=Hold, turn=Turn),
        commands={
            payments.authorise_payment: services.PaymentAuthorisation(_breaker, _key_lifetime),
            payments.refund_payment: services.PaymentRefund(_breaker, _key_lifetime),
            payments.capture_payment: services.PaymentCapture(_breaker, _key_lifetime),
            payments.give_back: refunds.ChangeRefund(_breaker, _key_lifetime),
            payments.reverse_leftover_payment: repairs.LeftoverPaymentReversal(_breaker, _key_lifetime),
            payments.confirm_capture_settled: repairs.confirm_capture_settled,
            payments.void_settled_hold: repairs.SettledHoldVoiding(_breaker, _key_lifetime),
        },
        queries={payments.money_held: selectors.money_held},
        money=MoneyReader(
            of_sagas=selectors.money_of_sagas, holds=payments.authorise_payment, takes=payments.capture_payment
        ),
        audit=audit,
        finders=(Finder("gateway reference", selectors.found_by_reference),),
    )
)
