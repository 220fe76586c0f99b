"""Whether anybody hears what becomes of tasks."""

from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker.consumer.events import Events

from orchestration.messaging.request import are_told


@pytest.mark.parametrize("watched", [True, False], ids=["with -E", "without"])
def test_events_of_tasks_are_sent_by_workers_that_were_told_to(watched: bool):
    step: Any = Events(SimpleNamespace(), task_events=watched)

    assert are_told(SimpleNamespace(enabled=step.send_events, groups=step.groups)) is watched


def test_no_events_are_sent_by_what_is_not_there_or_turned_off():
    assert not are_told(None)
    assert not are_told(SimpleNamespace(enabled=False, groups=None))
