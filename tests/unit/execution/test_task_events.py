"""Whether a worker sends events of its tasks."""

from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker.consumer.events import Events

from orchestration.execution.strategy import sends_task_events


@pytest.mark.parametrize("watched", [True, False], ids=["with -E", "without"])
def test_events_of_tasks_are_sent_by_workers_that_were_asked_to(watched: bool):
    step: Any = Events(SimpleNamespace(), task_events=watched)

    assert sends_task_events(SimpleNamespace(enabled=step.send_events, groups=step.groups)) is watched


def test_no_events_are_sent_by_what_is_not_there_or_turned_off():
    assert not sends_task_events(None)
    assert not sends_task_events(SimpleNamespace(enabled=False, groups=None))
