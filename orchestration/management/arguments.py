"""Arguments that several commands share: the operator and the reason, the output's format, how many and how fast."""

import getpass
import math
import os
import re
import socket
from argparse import ArgumentParser, ArgumentTypeError, _ActionsContainer
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from orchestration.management.output import FORMATS, TABLE
from orchestration.operators.actions.requests import LONGEST_TEXT
from orchestration.text.card_numbers import holds_card_number
from orchestration.text.cleaning import can_be_stored, is_harmless
from orchestration.text.formatting import says_something

MOST = 1_000_000_000
"""The largest number of rows or seconds in an argument. Database and calendar do not take any larger number."""
_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days"}
_SPAN = re.compile(rf"([0-9]{{1,6}})\s*({'|'.join(_UNITS)})")


def add_justification(parser: ArgumentParser) -> None:
    """Add the arguments for the reason and for the operator's name."""
    add_reason(parser)
    parser.add_argument("--by", type=words, default=operator(), metavar="NAME", help="who (default: %(default)s)")


def add_reason(parser: ArgumentParser) -> None:
    """Add the argument for the reason."""
    parser.add_argument("--reason", type=words, required=True, help="why, for the record")


def add_evidence(parser: _ActionsContainer, *, required: bool = True) -> None:
    """Add the argument for the evidence of an operator's statement."""
    help_text = "what proves it, such as a statement's number"
    parser.add_argument("--evidence", type=words, required=required, help=help_text)


def add_facts(parser: _ActionsContainer) -> None:
    """Add an argument for the facts that a step's service needs."""
    help_text = "a fact that the service needs"
    parser.add_argument(
        "--fact", type=fact, action="append", default=[], metavar="NAME=VALUE", dest="facts", help=help_text
    )


def add_wait(parser: ArgumentParser) -> None:
    """Add an argument for how long to wait for the outcome."""
    help_text = "wait for the outcome, at most this long (exit code 6)"
    parser.add_argument("--wait", type=whole_number, metavar="SECONDS", help=help_text)


def add_format(parser: ArgumentParser) -> None:
    """Add the argument for the output format: a table for people, JSON for programs."""
    parser.add_argument("--format", choices=FORMATS, default=TABLE, help="jsonl: one line of JSON each")


def add_limit(parser: ArgumentParser, default: int | None) -> None:
    """Add an argument for the most sagas that are listed or acted on."""
    otherwise = f" (default: {default})" if default else " (default: all)"
    parser.add_argument(
        "--limit", type=whole_number, default=default, metavar="N", help=f"at most this many{otherwise}"
    )


def add_consent(parser: ArgumentParser) -> None:
    """Add the arguments for a preview (--dry-run) and for consent without a question (--yes)."""
    parser.add_argument("--dry-run", action="store_true", help="say what would happen, and change nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask; needed where there is no terminal to ask at")


def saga_id(text: str) -> UUID:
    """Read a saga's id.

    :raises ArgumentTypeError: when it is not a UUID.
    """
    return _uuid(text, "saga")


def batch_id(text: str) -> UUID:
    """Read a batch's id.

    :raises ArgumentTypeError: when it is not a UUID.
    """
    return _uuid(text, "batch")


def whole_number(text: str) -> int:
    """Read a whole number above zero.

    :raises ArgumentTypeError: when it is not a whole number above zero, or more than `MOST`.
    """
    if not text.isdecimal() or len(text) > len(str(MOST)) or not 0 < int(text) <= MOST:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 to {MOST}")
    return int(text)


def number_from_zero(text: str) -> int:
    """Read a whole number.

    :raises ArgumentTypeError: when it is not a whole number.
    """
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def number_between(least: float, most: float) -> Callable[[str], float]:
    """Return a reader of numbers from `least` to `most`. The reader raises `ArgumentTypeError` for any other text."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise ArgumentTypeError(f"{text!r} is not a number from {least:g} to {most:g}")
        return value

    return read


def number(text: str) -> float:
    """Read a number above zero.

    :raises ArgumentTypeError: when it is not a number above zero.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not a number above zero")
    return value


def span(text: str) -> timedelta:
    """Read a length of time such as 90s, 15m, 2h or 30d.

    :raises ArgumentTypeError: when it is none.
    """
    found = _SPAN.fullmatch(text.strip())
    if not found:
        raise ArgumentTypeError(f"{text!r} is not a span such as 90s, 15m, 2h or 30d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def moment(text: str) -> datetime:
    """Read a time in UTC, or with a zone.

    :raises ArgumentTypeError: when it is no time that there is in UTC; one without a zone is UTC.
    """
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"{text!r} is not a time such as 2026-07-14T12:00") from None


def words(text: str) -> str:
    """Read a text for the record.

    :raises ArgumentTypeError: when it is blank, too long, or holds a card number.
    """
    if not can_be_stored(text):
        raise ArgumentTypeError("it is not UTF-8")
    if not says_something(text):
        raise ArgumentTypeError("it has no letter or digit")
    if len(text.strip()) > LONGEST_TEXT:
        raise ArgumentTypeError(f"it has more than {LONGEST_TEXT} characters")
    if holds_card_number(text):
        raise ArgumentTypeError("it holds a card number")
    return text.strip()


def fact(text: str) -> tuple[str, str]:
    """Read a fact, NAME=VALUE.

    :raises ArgumentTypeError: when it is not NAME=VALUE in one harmless line, or holds a card number.
    """
    if holds_card_number(text):
        raise ArgumentTypeError("it holds a card number")
    name, equals, value = text.partition("=")
    if not (name.strip() and equals and is_harmless(text)):
        raise ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name.strip(), value


def operator() -> str:
    """Return the operating system's user and host, as far as they are known."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # the user of a container may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _uuid(text: str, what: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a {what}'s id") from None
