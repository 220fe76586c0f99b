"""Whether anybody hears what becomes of tasks."""

from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker.consumer.events import Events

from orchestration.messaging.request import are_reported


@pytest.mark.parametrize("watched", [True, False], ids=["with -E", "without"])
def test_events_of_tasks_are_sent_by_workers_that_were_asked_to(watched: bool):
    step: Any = Events(SimpleNamespace(), task_events=watched)

    assert are_reported(SimpleNamespace(enabled=step.send_events, groups=step.groups)) is watched


def test_no_events_are_sent_by_what_is_not_there_or_turned_off():
    assert not are_reported(None)
    assert not are_reported(SimpleNamespace(enabled=False, groups=None))
