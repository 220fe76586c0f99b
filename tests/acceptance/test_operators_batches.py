"""A batch is carried out, observed and finished by the workers alone."""

import json
from datetime import timedelta

from django.core.management import call_command

from orchestration.models import Batch, OperatorLogEntry
from orchestration.models.actions import OperatorAction, Via
from orchestration.operators.actions.batch_pacing import Pace
from orchestration.operators.actions.batches import ask_for_batch, tally_of
from orchestration.operators.actions.requests import Actor, Ask
from orchestration.operators.insight.saga_filter import SagaFilter
from tests.support.broker import purge_queues
from tests.support.wait import wait_for

ADA = Actor("ada", 1, Via.ADMIN)


def test_workers_carry_out_a_batch_and_see_what_became_of_it(shop, start_worker, audited, settings):
    settings.PRESUMED_LOST_AFTER = timedelta(minutes=5)  # or recovery is there before the second half of the batch
    sagas = {shop.place() for _ in range(4)}
    purge_queues()  # their messages are lost
    ask = Ask(OperatorAction.RETRY, ADA, "the broker was wiped")
    batch = ask_for_batch(SagaFilter(ids=frozenset(sagas)), ask, Pace(canary=2, per_second=100))

    start_worker()

    wait_for(lambda: Batch.objects.get(pk=batch.pk).state == "finished", seconds=60, what="the end of the batch")
    assert {entry.saga_id: entry.observed for entry in OperatorLogEntry.objects.all()} == dict.fromkeys(
        sagas, "completed"
    )
    assert tally_of(batch).worked == len(sagas)


def test_a_batch_asked_for_at_a_command_line_is_waited_for(shop, start_worker, audited, settings, capsys):
    settings.PRESUMED_LOST_AFTER = timedelta(minutes=5)
    sagas = [str(shop.place()) for _ in range(3)]
    purge_queues()
    start_worker()

    how = ("--canary", "1", "--per-second", "100", "--wait", "60", "--yes", "--format", "json")
    call_command("saga", "batch", "start", "retry", *sagas, "--reason", "the broker was wiped", *how)

    reported = json.loads(capsys.readouterr().out)
    assert (reported["state"], reported["tally"]["worked"]) == ("finished", len(sagas))
