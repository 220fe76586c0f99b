"""The payments service's commands as tasks."""

from orchestration.contracts import payments, store_credit
from orchestration.participant.breaker_registry import breaker_for
from orchestration.participant.later_outcomes import LaterOutcomes
from orchestration.participant.lock_tables import LockTables
from orchestration.participant.money import MoneyReader
from orchestration.participant.participant import Participant
from orchestration.participant.registration import register
from orchestration.participant.search_key import Finder
from payments import refund_readings, refunds, repairs, selectors, services, wallets
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
            store_credit.spend_credit: wallets.spend_credit,
            store_credit.return_credit: wallets.return_credit,
            store_credit.debit_wallet: wallets.debit_wallet,
            store_credit.return_debit: wallets.return_debit,
            store_credit.credit_wallet: wallets.credit_wallet,
            store_credit.drop_credit: wallets.drop_credit,
            store_credit.approve_transfer: wallets.approve_transfer,
            store_credit.receive_credit: wallets.receive_credit,
            store_credit.close_transfer: wallets.close_transfer,
        },
        queries={payments.money_held: selectors.money_held, store_credit.credit_of: wallets.credit_of},
        later_outcomes=(LaterOutcomes(_breaker, due=refund_readings.due, read=refund_readings.read),),
        money=MoneyReader(
            of_sagas=selectors.money_of_sagas,
            holds=payments.authorise_payment,
            takes=payments.capture_payment,
            gives_back=payments.give_back,
        ),
        audit=audit,
        finders=(Finder("gateway reference", selectors.found_by_reference),),
    )
)
