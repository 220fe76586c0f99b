"""Log formats that name the saga a record is about: lines for people, or JSON for programs.

Both formats escape text from outside once more. So a message stays one line, controls no terminal and holds no card
number.
"""

import json
import logging
from datetime import UTC, datetime

from orchestration.log_context import sagas_worked_on
from orchestration.text.card_numbers import without_card_numbers
from orchestration.text.cleaning import harmless_lines, harmless_text

NAMED_IN_JSON, NAMED_IN_LINES = 20, 3
"""The most sagas of a batch that are named. The others are counted."""

LONGEST_MESSAGE = 10_000
"""The most characters kept of a message."""


class AddSagas(logging.Filter):
    """Passes every record and sets its `sagas`: the one in `extra={"saga": id}`, or those worked on."""

    def filter(self, record: logging.LogRecord) -> bool:
        named = getattr(record, "saga", None)
        record.sagas = [str(named)] if named else sagas_worked_on()
        return True


class LineFormatter(logging.Formatter):
    """Time, level, logger, the sagas if any, and the message.

    The lines of a traceback are indented, so that none of them looks like a log line of its own.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s%(about)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging calls it so
        sagas = _sagas_of(record)
        more = len(sagas) - NAMED_IN_LINES
        named = " ".join(sagas[:NAMED_IN_LINES]) + (f" +{more}" if more > 0 else "")
        record.about = f" [{named}]" if sagas else ""
        record.message = _harmless(record.message)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        line, *traceback = super().format(record).split("\n")
        return "\n".join([line, *(f"    {_harmless(each)}" for each in traceback)])


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with tracebacks inside.

    A record about one saga has `saga`. A record about several has `sagas` (and `more_sagas`).
    """

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _harmless(record.getMessage()),
        }
        fields |= _named(_sagas_of(record))
        fields |= {"process": record.process, "thread": record.threadName}
        if record.exc_info:
            fields["traceback"] = harmless_lines(without_card_numbers(self.formatException(record.exc_info)))
        return json.dumps(fields)


def _harmless(text: str) -> str:
    return harmless_text(without_card_numbers(text[:LONGEST_MESSAGE]), longest=LONGEST_MESSAGE)


def _named(sagas: list[str]) -> dict[str, object]:
    if len(sagas) == 1:
        return {"saga": sagas[0]}
    named: dict[str, object] = {"sagas": sagas[:NAMED_IN_JSON]} if sagas else {}
    if len(sagas) > NAMED_IN_JSON:
        named["more_sagas"] = len(sagas) - NAMED_IN_JSON
    return named


def _sagas_of(record: logging.LogRecord) -> list[str]:
    sagas: list[str] = getattr(record, "sagas", [])
    return sagas
