"""Arguments that several commands share: who asks and why, and how the answer is to look."""

import getpass
import os
import socket
from argparse import ArgumentParser, ArgumentTypeError


def add_word(parser: ArgumentParser) -> None:
    """Ask for a reason, and for a name if it is not the one at hand."""
    parser.add_argument("--reason", type=words, required=True, help="why, for the record")
    parser.add_argument("--by", type=words, default=_operator(), metavar="NAME", help="who (default: %(default)s)")


def add_format(parser: ArgumentParser) -> None:
    """Offer a table for people, JSON for programs."""
    parser.add_argument("--format", choices=("table", "json"), default="table")


def whole_number(text: str) -> int:
    """:raises ArgumentTypeError: when it is not a whole number above zero."""
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)


def words(text: str) -> str:
    """:raises ArgumentTypeError: when it says nothing."""
    if not text.strip():
        raise ArgumentTypeError("it says nothing")
    return text.strip()


def _operator() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
