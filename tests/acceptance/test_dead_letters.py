"""Dead letters, as a person handles them: looked at, sent again, thrown away."""

import json
from uuid import UUID, uuid4

import pytest
from django.conf import settings

from orchestration.insight.dead_letters import Heap, NoSuchLetter, dead_letters, discard, send_again
from orchestration.insight.reading import Unavailable
from tests.support.broker import channel, publish_raw, talking_to, waiting_messages
from tests.support.broker import dead_letters as count_of_dead_letters
from tests.support.waiting import wait_for

NOWHERE = "amqp://guest:guest@127.0.0.1:1//"
WORD = {"by": "ada", "reason": "the worker was mended"}


def heap() -> Heap:
    found = dead_letters()
    assert isinstance(found, Heap)
    return found


def killed(shop) -> UUID:
    """A saga whose first message was turned away."""
    saga_id = shop.place()
    with channel() as opened:
        message = opened.basic_get(settings.TOPOLOGY.name("inventory"))
        opened.basic_reject(message.delivery_tag, requeue=False)
    wait_for(lambda: any(letter.saga_id == saga_id for letter in heap().letters))
    return saga_id


@pytest.fixture
def nobody(workforce, clean_slate) -> None:
    workforce.send_the_shared_home()


def test_looking_shows_where_it_died_and_no_secret_and_leaves_it_there(shop, nobody):
    saga_id = killed(shop)
    [letter] = heap().letters

    assert heap().letters == (letter,)
    assert (letter.task, letter.saga_id, letter.step, letter.token) == (
        *("inventory.reserve_stock", saga_id, "reserve_stock", 1),
    )
    assert (letter.queue, letter.reason) == (settings.TOPOLOGY.name("inventory"), "rejected")
    assert letter.died_at is not None
    assert "1 High St" not in repr(letter)
    assert not heap().is_more
    assert dead_letters(limit=0) == Heap((), is_more=True)


def test_a_letter_sent_again_is_where_it_was_before_it_died(shop, nobody):
    saga_id = killed(shop)
    [letter] = heap().letters
    queue = settings.TOPOLOGY.name("inventory")

    assert send_again(letter.id, **WORD) == letter
    assert (count_of_dead_letters(), waiting_messages([queue])) == (0, 1)
    with channel() as opened:
        message = opened.basic_get(queue, no_ack=True)
    assert json.loads(message.body)[1]["saga_id"] == str(saga_id)
    assert "x-death" not in message.headers
    assert (message.content_type, message.headers["task"]) == ("application/json", "inventory.reserve_stock")


def test_a_letter_that_is_discarded_is_gone_and_others_are_not(shop, nobody):
    first, second = killed(shop), killed(shop)
    letters = {letter.saga_id: letter for letter in heap().letters}

    assert discard(letters[first].id, **WORD) == letters[first]
    assert [letter.saga_id for letter in heap().letters] == [second]
    with pytest.raises(NoSuchLetter):
        discard(letters[first].id, **WORD)


def test_a_message_that_is_none_of_ours_is_shown_as_far_as_it_can_be(nobody):
    publish_raw("inventory", b"\x00 CANARY", headers={"id": str(uuid4())})
    with channel() as opened:
        message = opened.basic_get(settings.TOPOLOGY.name("inventory"))
        opened.basic_reject(message.delivery_tag, requeue=False)
    [letter] = wait_for(lambda: heap().letters)

    assert (letter.task, letter.saga_id, letter.size) == ("", None, 8)
    assert "CANARY" not in repr(letter)


def test_a_broker_that_is_away_is_named(nobody):
    with talking_to(NOWHERE):
        for asked in (dead_letters(), discard("x", **WORD)):
            assert isinstance(asked, Unavailable)
            assert asked.why.startswith("RabbitMQ does not answer: ")
