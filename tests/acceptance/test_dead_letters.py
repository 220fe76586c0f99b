"""Dead letters, as a person handles them: looked at, sent again, thrown away."""

import json
from uuid import UUID, uuid4

import amqp
import pytest
from django.conf import settings
from django.db import OperationalError

from orchestration.models import MachineryLogEntry
from orchestration.models.actions import Via
from orchestration.operators.actions.dead_letters import NoSuchDeadLetter, discard, send_again
from orchestration.operators.actions.recorded_action import NotDone, NotKnown, NotRecorded
from orchestration.operators.actions.requests import LONGEST_TEXT, Actor
from orchestration.operators.insight.dead_letters import DeadLetters, dead_letters
from orchestration.operators.insight.sources import Unavailable
from tests.support.broker import channel, publish_raw, talking_to, waiting_messages
from tests.support.broker import dead_letters as count_of_dead_letters
from tests.support.wait import wait_for

NOWHERE = "amqp://guest:guest@127.0.0.1:1//"
WORD = {"actor": Actor("ada", None, Via.COMMAND), "reason": "the worker was mended"}


def heap() -> DeadLetters:
    found = dead_letters()
    assert isinstance(found, DeadLetters)
    return found


def turn_away() -> None:
    """Have the first message to inventory die."""
    with channel() as opened:
        message = opened.basic_get(settings.TOPOLOGY.name("inventory"))
        opened.basic_reject(message.delivery_tag, requeue=False)


def killed(shop) -> UUID:
    """A saga whose first message was turned away."""
    saga_id = shop.place()
    turn_away()
    wait_for(lambda: any(dead_letter.saga_id == saga_id for dead_letter in heap().dead_letters))
    return saga_id


@pytest.fixture
def nobody(workforce, clean_slate) -> None:
    workforce.stop_shared()


def test_looking_shows_where_it_died_and_no_secret_and_leaves_it_there(shop, nobody):
    saga_id = killed(shop)
    [dead_letter] = heap().dead_letters

    assert heap().dead_letters == (dead_letter,)
    assert (dead_letter.task, dead_letter.saga_id, dead_letter.step, dead_letter.token) == (
        *("inventory.reserve_stock", saga_id, "reserve_stock", 1),
    )
    assert (dead_letter.queue, dead_letter.reason) == (settings.TOPOLOGY.name("inventory"), "rejected")
    assert dead_letter.died_at is not None
    assert "1 High St" not in repr(dead_letter)
    assert not heap().is_more
    assert dead_letters(limit=0) == DeadLetters((), is_more=True)


def test_a_letter_sent_again_is_where_it_was_before_it_died(shop, nobody):
    saga_id = killed(shop)
    [dead_letter] = heap().dead_letters
    queue = settings.TOPOLOGY.name("inventory")

    assert send_again(dead_letter.id, **WORD) == dead_letter
    entry = MachineryLogEntry.objects.get()
    assert (entry.action, entry.outcome, entry.before["saga_id"]) == ("send_letter_again", "done", str(saga_id))
    assert (entry.before["queue"], entry.after) == (queue, {"queue": queue})
    assert (count_of_dead_letters(), waiting_messages([queue])) == (0, 1)
    with channel() as opened:
        message = opened.basic_get(queue, no_ack=True)
    assert json.loads(message.body)[1]["saga_id"] == str(saga_id)
    assert "x-death" not in message.headers
    assert (message.content_type, message.headers["task"]) == ("application/json", "inventory.reserve_stock")


def test_a_letter_that_is_discarded_is_gone_and_others_are_not(shop, nobody):
    first, second = killed(shop), killed(shop)
    dead_letters = {dead_letter.saga_id: dead_letter for dead_letter in heap().dead_letters}

    assert discard(dead_letters[first].id, **WORD) == dead_letters[first]
    assert [dead_letter.saga_id for dead_letter in heap().dead_letters] == [second]
    with pytest.raises(NoSuchDeadLetter):
        discard(dead_letters[first].id, **WORD)


def test_a_message_that_is_none_of_ours_is_shown_as_far_as_it_can_be(nobody):
    publish_raw("inventory", b"\x00 CANARY", headers={"id": str(uuid4())})
    turn_away()
    [dead_letter] = wait_for(lambda: heap().dead_letters)

    assert (dead_letter.task, dead_letter.saga_id, dead_letter.size) == ("", None, 8)
    assert "CANARY" not in repr(dead_letter)


def test_what_could_not_be_read_is_on_record_as_far_as_a_table_can_hold_it(nobody):
    publish_raw("inventory", b'[[], {"step": "\\ud800", "saga_id": "\\u0000"}, {}]', headers={"task": "no\0such" * 500})
    turn_away()
    [dead_letter] = wait_for(lambda: heap().dead_letters)

    discard(dead_letter.id, **WORD)
    entry = MachineryLogEntry.objects.get()
    assert entry.before["task"].startswith("no\\x00such")
    assert (len(entry.before["task"]), entry.before["step"], entry.outcome) == (LONGEST_TEXT, "\\ud800", "done")


def test_a_letter_that_cannot_go_back_stays_and_that_is_on_record(nobody):
    with channel() as opened:
        dead_letter = opened.prepare_message(b"{}", headers={"x-death": [{"queue": "no-such-queue"}]})
        opened.basic_publish(dead_letter, routing_key=settings.TOPOLOGY.dead_letter_queue.name)
    [dead_letter] = wait_for(lambda: heap().dead_letters)

    with pytest.raises(NoSuchDeadLetter, match="no queue no-such-queue any more"):
        send_again(dead_letter.id, **WORD)
    assert heap().dead_letters == (dead_letter,)
    assert MachineryLogEntry.objects.get().outcome == "nothing_changed"


@pytest.mark.parametrize("act", [discard, send_again])
def test_nothing_is_said_to_be_done_before_the_broker_has_heard_it(act, shop, nobody, monkeypatch, caplog):
    killed(shop)
    [dead_letter] = heap().dead_letters

    def cut(*_: object) -> None:
        raise ConnectionResetError("reset by peer")

    with monkeypatch.context() as patched:
        patched.setattr(amqp.Channel, "close", cut)
        with pytest.raises(NotKnown, match="reset by peer"):
            act(dead_letter.id, **WORD)
    entry = MachineryLogEntry.objects.get()
    assert (entry.outcome, entry.detail, entry.after) == ("unknown", "reset by peer", None)
    assert "is done" not in caplog.text


@pytest.mark.parametrize("act", [discard, send_again])
def test_a_letter_stays_where_it_is_when_it_cannot_be_written_down_who_acts(act, shop, nobody, monkeypatch):
    def away(*_: object, **__: object) -> None:
        raise OperationalError("refused")

    killed(shop)
    [dead_letter] = heap().dead_letters
    with monkeypatch.context() as patched:
        patched.setattr(MachineryLogEntry, "save", away)
        with pytest.raises(NotRecorded):
            act(dead_letter.id, **WORD)
    assert heap().dead_letters == (dead_letter,)
    assert waiting_messages([settings.TOPOLOGY.name("inventory")]) == 0


def test_a_broker_that_is_away_is_named(nobody):
    with talking_to(NOWHERE):
        asked = dead_letters()
        assert isinstance(asked, Unavailable)
        assert asked.why.startswith("RabbitMQ does not answer: ")
        with pytest.raises(NotDone, match="RabbitMQ does not answer"):
            discard("x", **WORD)
