"""Commands of the inventory service that repair what an audit has found."""

from collections import Counter

from django.db.models import F, Sum

from inventory.models import Ledger, Movement, Reservation, Stock
from inventory.services import UnknownSku, release_holds
from orchestration.contracts.inventory import RecountReserved, ReleaseLeftoverHold, reserve_stock
from orchestration.participant.refusals import Refusal
from orchestration.participant.repair_marks import mark_reversed


class NothingLeft(Refusal):
    """The saga holds nothing any more."""

    code = "nothing_left"


class NothingToRecount(Refusal):
    """The reserved units already equal the sum of the live reservations."""

    code = "nothing_to_recount"


class MovementsDisagree(Refusal):
    """Movements and live reservations disagree: the units must be counted."""

    code = "movements_disagree"


def release_leftover_hold(request: ReleaseLeftoverHold) -> None:
    """Release what the repaired saga still holds and mark its ledger row as reversed.

    :raises NothingLeft: when it holds nothing and its ledger row says so already.
    """
    said_otherwise = mark_reversed(Ledger, request.repaired_saga_id, reserve_stock)
    if not release_holds({request.repaired_saga_id: None}) and not said_otherwise:
        raise NothingLeft(saga=str(request.repaired_saga_id))


def recount_reserved(request: RecountReserved) -> None:
    """Set the reserved units of the SKU to the sum of its live reservations. Leave `on_hand` alone.

    :raises UnknownSku: when the SKU has no stock row.
    :raises NothingToRecount: when the sum is right already.
    :raises MovementsDisagree: when the movements add up to another number.
    """
    stock = Stock.objects.select_for_update().filter(sku=request.sku).first()
    if stock is None:
        raise UnknownSku(sku=request.sku)
    unreleased = Reservation.objects.filter(stock=stock, released_at=None)
    live = unreleased.aggregate(units=Sum(F("quantity") - F("consumed")))["units"] or 0
    if stock.reserved == live:
        raise NothingToRecount(sku=stock.sku, reserved=live)
    if (left := _left_by_movements(stock)) != live:
        raise MovementsDisagree(sku=stock.sku, reservations=live, movements=left)
    Stock.objects.recount(stock.sku, reserved=live)


def _left_by_movements(stock: Stock) -> int:
    sums = Movement.objects.filter(stock=stock).values_list("kind").annotate(Sum("quantity")).order_by()
    moved: Counter[str] = Counter(dict(sums))
    return moved[Movement.Kind.RESERVED] - moved[Movement.Kind.RELEASED] - moved[Movement.Kind.CONSUMED]
