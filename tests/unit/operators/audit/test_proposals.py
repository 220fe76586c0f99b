"""What is proposed for which sighting: a saga where one can put it right, else what a person has to do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from orchestration.operators.audit.finding_rows import fingerprint
from orchestration.operators.audit.proposals import ADVICE, SETTLED_OUTSIDE, advice, propose
from orchestration.operators.audit.values import Repair, Sighting, first_id_at
from orchestration.protocol.states import Phase
from orchestration.sagas import REPAIRS

SAGA = str(UUID(int=7))
HELD = Sighting("Q3", "It still holds units.", {"saga": SAGA, "step": "reserve_stock"}, Phase.COMPENSATED)
ORDER = Sighting("Q3", "There is an order.", {"saga": SAGA, "step": "place_order"}, Phase.COMPENSATED)
MISCOUNTED = Sighting("A1", "3 are reserved, 2 are held.", {"sku": "MUG-01"})


@pytest.mark.parametrize("invariant", ["A4", "A6", "Q3", "Q4"])
@pytest.mark.parametrize(
    ("step", "kind"),
    [
        ("reserve_stock", "release_leftover_hold.v1"),
        ("authorise_payment", "reverse_leftover_payment.v1"),
        ("schedule_shipment", "cancel_leftover_parcel.v1"),
    ],
)
def test_what_a_compensated_saga_left_is_cleared_away(invariant: str, step: str, kind: str) -> None:
    sighting = replace(HELD, invariant=invariant, ids={"saga": SAGA, "step": step})
    assert propose(sighting, [sighting]) == Repair(kind, {"repaired_saga_id": SAGA})


@pytest.mark.parametrize(
    "sighting",
    [
        replace(HELD, phase=Phase.COMPLETED),
        replace(HELD, phase=""),
        replace(HELD, invariant="A3"),
        replace(HELD, ids={"saga": SAGA}),
        replace(HELD, ids={"saga": SAGA, "step": "capture_payment"}),
        replace(HELD, was_settled_outside=True),
        ORDER,
    ],
)
def test_nothing_is_taken_from_a_saga_that_may_need_it(sighting: Sighting) -> None:
    assert propose(sighting, [sighting]) is None


def test_nothing_is_taken_from_a_saga_that_has_an_order() -> None:
    assert propose(HELD, [HELD, ORDER]) is None
    other = replace(ORDER, ids={**ORDER.ids, "saga": str(UUID(int=8))})
    assert propose(HELD, [HELD, other]) is not None


def test_what_is_reserved_is_recounted_where_reservations_say_otherwise() -> None:
    beside = Sighting("A2", "3 are reserved, the movements leave 2.", {"sku": "MUG-01"})
    recount = Repair("recount_reserved.v1", {"sku": "MUG-01"})
    assert propose(MISCOUNTED) == propose(beside, [MISCOUNTED]) == recount
    assert propose(beside, [beside]) is None, "units on hand that nobody delivered are for a person"


def test_every_finding_says_what_to_do() -> None:
    assert "recount_reserved.v1" in advice(MISCOUNTED, propose(MISCOUNTED))
    assert advice(replace(HELD, was_settled_outside=True), None) == SETTLED_OUTSIDE
    for invariant, reported in ADVICE.items():
        assert advice(Sighting(invariant, "It is wrong."), None) == reported != ""


def test_every_repair_is_proposed_for_something() -> None:
    steps = ("reserve_stock", "authorise_payment", "schedule_shipment")
    proposed = [propose(replace(HELD, ids={"saga": SAGA, "step": step})) for step in steps] + [propose(MISCOUNTED)]
    assert [each.kind for each in proposed if each] == [saga.name for saga in REPAIRS]


def test_a_sighting_is_known_again_when_its_numbers_have_changed() -> None:
    assert fingerprint(MISCOUNTED) == fingerprint(replace(MISCOUNTED, message="13 are reserved, 1 are held."))
    assert fingerprint(MISCOUNTED) != fingerprint(replace(MISCOUNTED, message="3 are reserved, 2 are lost."))
    kept, more = (
        replace(MISCOUNTED, message=f"The gateway has kept {reported}.") for reported in ("9.99 GBP", "1,234.50 GBP")
    )
    assert fingerprint(kept) == fingerprint(more)
    assert fingerprint(MISCOUNTED) != fingerprint(replace(MISCOUNTED, ids={"sku": "TEA-01"}))
    assert fingerprint(MISCOUNTED) != fingerprint(replace(MISCOUNTED, invariant="A2"))


def test_ids_made_now_lie_where_now_is_looked_for() -> None:
    now = datetime.now(UTC)
    assert first_id_at(now - timedelta(seconds=1)) < uuid7() < first_id_at(now + timedelta(seconds=60))
