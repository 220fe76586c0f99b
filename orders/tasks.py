"""The orders service's commands as tasks."""

from orchestration.contracts import coupons as coupon_contracts
from orchestration.contracts import order_changes, orders
from orchestration.participant.batch import Together
from orchestration.participant.lock_tables import LockTables
from orchestration.participant.participant import Participant
from orchestration.participant.registration import register
from orchestration.participant.search_key import Finder
from orders import changes, coupons, selectors, services
from orders.audit import audit
from orders.models import Guard, Hold, Ledger, Turn

participant = register(
    Participant(
        service="orders",
        ledger=Ledger,
        locks=LockTables(guard=Guard, hold=Hold, turn=Turn),
        commands={
            orders.place_order: Together(services.place_order),
            orders.confirm_no_order: services.confirm_no_order,
            order_changes.open_change: changes.open_change,
            order_changes.drop_change: changes.drop_change,
            order_changes.approve_refund: changes.approve_refund,
            order_changes.close_change: changes.close_change,
            coupon_contracts.claim_coupon: coupons.claim_coupon,
            coupon_contracts.drop_claim: coupons.drop_claim,
            coupon_contracts.redeem_coupon: coupons.redeem_coupon,
            coupon_contracts.return_coupon: coupons.return_coupon,
            coupon_contracts.release_coupon: coupons.release_coupon,
        },
        refusal_of_duplicate={
            orders.place_order: services.order_placed_before,
            coupon_contracts.redeem_coupon: coupons.already_used,
        },
        audit=audit,
        finders=(Finder("customer's e-mail", selectors.found_by_email),),
    )
)
