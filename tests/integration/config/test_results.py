"""The record of a failed task holds what was raised without card numbers, harmless."""

import json
import traceback
from typing import Any
from uuid import uuid4

import pytest
from celery import current_app
from celery.app.task import Context
from django_celery_results.models import TaskResult

from config import env

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

CARD = "4111 1111\u200e1111 1111"


@pytest.mark.parametrize(
    "said", [CARD, {"card": "4111 1111 1111 1111"}, 4111111111111111], ids=["text", "facts", "number"]
)
def test_a_stored_failure_holds_no_card_number(said: Any) -> None:
    task_id = str(uuid4())
    try:
        raise ValueError(said)
    except ValueError as error:
        current_app.backend.mark_as_failure(task_id, error, traceback.format_exc(), Context(task="of.a.test"))
    stored = TaskResult.objects.get(task_id=task_id)
    assert "1111" not in f"{stored.traceback}{stored.result}"
    assert "(card number)" in str(stored.traceback)
    [message] = json.loads(stored.result)["exc_message"]
    assert "(card number)" in message
    assert isinstance(current_app.backend.exception_to_python(json.loads(stored.result)), ValueError)
