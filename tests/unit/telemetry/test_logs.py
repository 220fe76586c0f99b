"""Log lines: each names the saga it is about, a batch's lines name some and count the rest."""

import json
import logging
import threading
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest

from orchestration.log_context import about, of_ending, of_message, within
from orchestration.telemetry.logs import AddSagas, JsonFormatter, LineFormatter

logger = logging.getLogger("tests.telemetry")


@pytest.fixture
def lines():
    """What is logged meanwhile, as JSON and as lines."""
    written: list[tuple[dict, str]] = []

    class Written(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append((json.loads(JsonFormatter().format(record)), LineFormatter().format(record)))

    handler = Written()
    handler.addFilter(AddSagas())
    logger.addHandler(handler)
    yield written
    logger.removeHandler(handler)


def message(saga_id: UUID) -> SimpleNamespace:
    return SimpleNamespace(kwargs={"saga_id": str(saga_id)})


def test_a_line_about_no_saga_names_none(lines):
    logger.warning("up %s", 1)
    [(reported, line)] = lines
    assert (reported["message"], reported["level"], reported["logger"]) == ("up 1", "WARNING", "tests.telemetry")
    assert not reported.keys() & {"saga", "sagas"}
    assert line.endswith("WARNING tests.telemetry up 1")


def test_a_line_written_while_a_saga_is_worked_on_names_it(lines):
    saga_id = uuid4()
    with about([saga_id]):
        logger.warning("working")
    logger.warning("done")
    assert [reported.get("saga") for reported, _ in lines] == [str(saga_id), None]
    assert lines[0][1].endswith(f"tests.telemetry [{saga_id}] working")


def test_a_line_about_one_saga_of_a_batch_names_that_one(lines):
    with about([uuid4(), uuid4()]):
        logger.warning("this one", extra={"saga": "7"})
    assert lines[0][0]["saga"] == "7"


def test_a_line_about_a_batch_names_some_and_counts_the_rest(lines):
    saga_ids = [uuid4() for _ in range(64)]
    within(lambda _: logger.warning("a batch"), of_message)([message(saga_id) for saga_id in saga_ids])
    [(reported, line)] = lines
    assert reported["sagas"] == [str(saga_id) for saga_id in saga_ids[:20]]
    assert reported["more_sagas"] == 44
    assert line.endswith(f"[{saga_ids[0]} {saga_ids[1]} {saga_ids[2]} +61] a batch")


def test_a_saga_that_is_in_a_batch_twice_is_named_once(lines):
    saga_id = uuid4()
    within(lambda _: logger.warning("twice"), of_ending)([SimpleNamespace(message=message(saga_id))] * 2)
    assert lines[0][0]["saga"] == str(saga_id)


def test_messages_that_name_no_saga_are_no_sagas_work(lines):
    with about([SimpleNamespace(kwargs={"route": "r"})], of_message):
        logger.warning("a marker")
    assert "saga" not in lines[0][0]


def test_another_thread_works_on_something_else(lines):
    with about([uuid4()]):
        other = threading.Thread(target=logger.warning, args=("elsewhere",))
        other.start()
        other.join()
    assert "saga" not in lines[0][0]


def test_a_traceback_stays_on_the_line_of_its_error(lines):
    try:
        _ = 1 // 0
    except ZeroDivisionError:
        logger.exception("broke")
    [(reported, _)] = lines
    assert "ZeroDivisionError" in reported["traceback"]


HOSTILE = "declined\n2026-05-01 12:00:00,000 WARNING shop all is well\x1b[2J\x9b\x85\u2028\u202egnihtyna \ud83d"
CARD = "4242 4242 4242 4242"


def test_what_a_message_quotes_forges_no_line_and_controls_no_terminal(lines):
    logger.warning("the gateway says: %s", HOSTILE)
    [(reported, line)] = lines
    assert line.splitlines() == [line]
    assert not set(line) & set("\n\x1b\x9b\x85\u2028\u202e\ud83d")
    assert line.endswith(reported["message"])
    assert r"declined\n2026-05-01" in line


def test_a_traceback_forges_no_line_either(lines):
    try:
        raise ValueError(HOSTILE)
    except ValueError as error:
        error.add_note(HOSTILE)
        logger.exception("broke")
    [(reported, text)] = lines
    first, *others = text.split("\n")
    assert others
    assert all(each.startswith("    ") for each in others)
    assert text.splitlines() == [first, *others]
    assert not set(text + reported["traceback"]) & set("\x1b\x9b\x85\u2028\u202e\ud83d")


def test_json_lines_are_ascii():
    record = logging.makeLogRecord({"msg": HOSTILE, "name": "shop", "levelname": "INFO"})
    assert JsonFormatter().format(record).isascii()
    assert "\n" not in JsonFormatter().format(record)


def test_a_log_keeps_no_card_number(lines):
    try:
        raise ValueError(CARD)
    except ValueError:
        logger.exception("paid with %s", CARD)
    [(reported, text)] = lines
    assert CARD not in text + json.dumps(reported)
    assert reported["message"] == "paid with (card number)"


def test_what_a_saga_works_on_inside_another_batch_is_restored(lines):
    outer, inner = uuid4(), uuid4()
    with about([outer]):
        with about([inner]):
            logger.warning("inner")
        logger.warning("outer")
    assert [reported["saga"] for reported, _ in lines] == [str(inner), str(outer)]
