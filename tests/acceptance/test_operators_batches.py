"""A batch is carried out, observed and finished by the workers alone."""

from datetime import timedelta

from orchestration.insight.filtering import Wanted
from orchestration.models import Batch, OperatorLogEntry
from orchestration.operations.bulk import ask_for_batch, tally_of
from orchestration.operations.pacing import Pace
from orchestration.operations.values import Action, Actor, Ask, Via
from tests.support.broker import purge_queues
from tests.support.waiting import wait_for

ADA = Actor("ada", 1, Via.ADMIN)


def test_workers_carry_out_a_batch_and_see_what_became_of_it(shop, start_worker, audited, settings):
    settings.PRESUMED_LOST_AFTER = timedelta(minutes=5)  # or recovery is there before the second half of the batch
    sagas = {shop.place() for _ in range(4)}
    purge_queues()  # their messages are lost
    ask = Ask(Action.RETRY, ADA, "the broker was wiped")
    batch = ask_for_batch(Wanted(ids=frozenset(sagas)), ask, Pace(canary=2, per_second=100))

    start_worker()

    wait_for(lambda: Batch.objects.get(pk=batch.pk).state == "finished", seconds=60, what="the end of the batch")
    assert {entry.saga_id: entry.observed for entry in OperatorLogEntry.objects.all()} == dict.fromkeys(
        sagas, "completed"
    )
    assert tally_of(batch).worked == len(sagas)
