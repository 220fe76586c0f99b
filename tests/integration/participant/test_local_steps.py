"""What the kit promises about actions and compensations, on inventory's commands and database."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.db import connections
from uuid_utils.compat import uuid7

from inventory import services
from inventory.models import Ledger, Reservation, Stock
from inventory.services import receive_stock
from inventory.tasks import participant
from orchestration.contracts.codec import encode
from orchestration.contracts.inventory import release_stock, reserve_stock
from orchestration.contracts.values import Line
from orchestration.db import transactions
from orchestration.db.transactions import VersionConflict
from orchestration.participant.ledger import Status
from orchestration.participant.ledger_store import Call, LedgerChange
from orchestration.participant.outcomes import Barred, Done, Refused
from orchestration.participant.refusals import Refusal
from orchestration.testing import step_runner

pytestmark = pytest.mark.django_db(transaction=True, databases=["inventory"])


class NoLuck(Refusal):
    """It is not to be."""

    code = "no_luck"


@pytest.fixture(autouse=True)
def ten_mugs():
    receive_stock(units_by_sku={"MUG": 10})


def call(quantity: int = 1) -> Call:
    saga_id = uuid7()
    known = {"saga_id": str(saga_id), "order_id": str(uuid7()), "lines": encode((Line("MUG", quantity, 100),))}
    return Call(saga_id, "reserve_stock", token=1, known=known)


def act(*calls: Call) -> list:
    return step_runner.act(participant, reserve_stock, calls)


def undo(*calls: Call) -> None:
    step_runner.undo(participant, release_stock, calls)


def status(of: Call) -> str:
    return Ledger.objects.get(saga_id=of.saga_id, step=of.step).status


def reserved() -> int:
    return Stock.objects.get(sku="MUG").reserved


def reserve_one(request) -> None:
    """What inventory does, for one request."""
    services.reserve_stock([request])


def doing(work) -> object:
    """The participant with another function behind reserve_stock."""
    return replace(participant, commands={reserve_stock: work, release_stock: participant.commands[release_stock]})


def test_an_action_done_again_repeats_its_answer_and_does_nothing():
    asked = call(quantity=3)

    assert act(asked) == act(asked) == [Done({})]
    assert reserved() == 3


def test_a_refusal_is_repeated_word_for_word_even_when_it_would_succeed_now():
    asked = call(quantity=11)
    [first] = act(asked)
    receive_stock(units_by_sku={"MUG": 100})

    assert isinstance(first, Refused)
    assert act(asked) == [first]
    assert reserved() == 0


def test_a_refusal_takes_back_what_was_written_before_it():
    def reserve_then_refuse(request):
        reserve_one(request)
        raise NoLuck(sku="MUG")

    asked = call()

    assert step_runner.act(doing(reserve_then_refuse), reserve_stock, [asked]) == [
        Refused({"code": "no_luck", "detail": "It is not to be.", "facts": {"sku": "MUG"}})
    ]
    assert (reserved(), status(asked)) == (0, Status.REFUSED)


def test_a_crash_leaves_neither_effect_nor_row():
    def reserve_then_crash(request):
        reserve_one(request)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        step_runner.act(doing(reserve_then_crash), reserve_stock, [call()])

    assert (reserved(), Ledger.objects.count()) == (0, 0)


def test_a_compensation_that_comes_first_bars_the_action():
    asked = call()
    undo(asked)

    assert act(asked) == [Barred()]
    assert (reserved(), status(asked)) == (0, Status.BARRED)


def test_a_compensation_done_again_changes_nothing():
    asked = call(quantity=4)
    act(asked)
    undo(asked)
    undo(asked)

    assert (reserved(), status(asked)) == (0, Status.UNDONE)
    assert act(asked) == [Barred()]
    assert Ledger.objects.get().history == ["done", "undone"]


def test_a_compensation_of_a_refused_step_changes_nothing():
    asked = call(quantity=11)
    act(asked)
    undo(asked)

    assert status(asked) == Status.REFUSED


def test_a_bar_holds_unless_the_step_was_done_before():
    done, open_ = call(), call()
    act(done)

    assert step_runner.bar(participant, [done, open_]) == [False, True]
    assert act(open_) == [Barred()]


def test_calls_run_together_and_only_the_refused_one_falls_out():
    fits, too_many, also_fits = call(2), call(11), call(3)

    outcomes = act(fits, too_many, also_fits)

    assert [type(outcome) for outcome in outcomes] == [Done, Refused, Done]
    assert reserved() == 5


def test_the_same_call_twice_in_one_batch_is_done_once():
    asked = call(2)

    assert act(asked, asked) == [Done({}), Done({})]
    assert reserved() == 2


def test_many_threads_with_one_message_have_one_effect():
    asked = call(2)

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: _and_close(lambda: act(asked)), range(16)))

    assert outcomes == [[Done({})]] * 16
    assert reserved() == 2


def test_action_and_compensation_at_once_end_with_nothing_held():
    asked = [call() for _ in range(8)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: _and_close(lambda: act(one)), asked))
        undone = pool.map(lambda one: _and_close(lambda: undo(one)), asked)
        again = pool.map(lambda one: _and_close(lambda: act(one)), asked)
        list(undone), list(again)

    assert reserved() == 0
    assert Reservation.objects.filter(released_at=None).count() == 0


def test_a_version_conflict_is_tried_again_in_place():
    tries = []

    def conflicting(request):
        tries.append(request)
        if len(tries) < transactions.TRIES:
            raise VersionConflict
        return reserve_one(request)

    assert step_runner.act(doing(conflicting), reserve_stock, [call()]) == [Done({})]
    assert len(tries) == transactions.TRIES


def test_a_version_conflict_without_end_is_reported_after_five_tries():
    tries = []

    def conflicting(request):
        tries.append(request)
        raise VersionConflict

    with pytest.raises(VersionConflict):
        step_runner.act(doing(conflicting), reserve_stock, [call()])
    assert len(tries) == transactions.TRIES


def test_a_lost_connection_is_replaced_and_the_work_done_once():
    cut = []

    def cut_once(request):
        if not cut:
            cut.append(_terminate_this_backend())
        return reserve_one(request)

    assert step_runner.act(doing(cut_once), reserve_stock, [call(2)]) == [Done({})]
    assert reserved() == 2


def test_the_kit_refuses_to_work_inside_a_transaction_of_the_caller():
    from django.db import transaction

    with transaction.atomic(using="inventory"), pytest.raises(transactions.InsideATransaction):
        act(call())


def _and_close(work):
    try:
        return work()
    finally:
        connections["inventory"].close()


def _terminate_this_backend() -> bool:
    import psycopg

    connection = connections["inventory"]
    pid = connection.connection.info.backend_pid
    parameters = connection.get_connection_params()
    server = {name: parameters[name] for name in ("host", "port", "user", "password") if parameters.get(name)}
    with psycopg.connect(**server, dbname="postgres", autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])
    return True


def test_a_row_is_changed_only_from_what_it_was():
    asked = call()
    undo(asked)
    done = LedgerChange(asked.saga_id, asked.token, Status.DONE)

    participant.rows.change(asked.step, [done], was=[Status.STARTED])

    assert status(asked) == Status.BARRED
