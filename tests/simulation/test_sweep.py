"""Every single fault at every failpoint, and a sample of all pairs, in the simulator."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestration.failpoints import FailpointKind
from orchestration.participant import local_steps
from orchestration.participant.outcomes import Done
from orchestration.sagas.checkout import checkout
from orchestration.testing import Fake, Unsafe, sweep
from orchestration.testing.paths import paths
from orchestration.testing.sweep import run, simulated
from tests.simulation.checkout import FAKES, REQUEST


def test_a_checkout_survives_every_fault_at_every_failpoint(saga_sweep):
    found = saga_sweep(checkout, REQUEST, FAKES)

    assert found.unfired == 0
    of_locks = {FailpointKind.GRANT, FailpointKind.LET_GO}  # of these, test_change_sweep has every fault
    assert {failpoint.partition(" ")[0] for failpoint in found.ends} == set(FailpointKind) - of_locks
    skipped = checkout.skipped_for(REQUEST)
    for step in (each for each in checkout.steps if each.name not in skipped):
        assert f"publish {step.action.name}" in found.ends
        assert f"ack {step.action.name}" in found.ends


def test_a_checkout_with_coupon_and_store_credit_survives():
    known = {"coupon": "SPRING", "coupon_key": "SPRING/ada", "discount_minor": 100}
    asked = replace(REQUEST, **known, total_minor=1898, credit_minor=100)
    assert checkout.skipped_for(asked) == frozenset()
    assert sweep(checkout, asked, FAKES).unfired == 0


def test_a_free_checkout_without_a_parcel_survives():
    asked = replace(REQUEST, total_minor=0, coupon="SPRING", discount_minor=1998, payment_method=None, ships=False)
    assert {*FAKES} <= checkout.skipped_for(asked)
    assert sweep(checkout, asked, FAKES).unfired == 0


def test_a_checkout_survives_two_faults_at_once():
    found = sweep(checkout, REQUEST, FAKES, every_nth_pair=60)

    assert found.runs > 5000


def test_a_saga_whose_participants_all_work_in_their_databases_survives():
    sweep(checkout, REQUEST, {name: replace(fake, outside=False) for name, fake in FAKES.items()})


def test_a_saga_with_a_short_deadline_survives():
    sweep(replace(checkout, deadline=timedelta(seconds=40)), REQUEST, FAKES)


def test_a_forgotten_tombstone_is_found(monkeypatch):
    """Test a compensation that writes no barred row where nothing was done yet: it lets the late action pass."""
    monkeypatch.setattr(local_steps, "_undo_all", lambda *given: {call.saga_id: Done({}) for call in given[-1]})

    with pytest.raises(Unsafe, match="reserve_stock was done 1 times and reversed 0 times"):
        sweep(checkout, REQUEST, FAKES)


def test_what_a_participant_answers_must_survive_the_way_through_the_broker():
    unreadable = FAKES | {"reserve_stock": Fake(object())}
    with simulated():
        case = run(checkout, REQUEST, unreadable, next(paths(checkout, unreadable)), ())

    failed = "reserve_stock failed: TypeError: Object of type object is not JSON serializable"
    assert case.broken == (f"it is compensated, to be completed; {failed}",)
