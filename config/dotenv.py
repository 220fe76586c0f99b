"""Reads `.env`, limited to the syntax that docker compose and this project understand in the same way."""

import re
from pathlib import Path

_LINE = re.compile(r"(?:export )?(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*)")
_QUOTED = re.compile(r"(?P<quote>['\"])(?P<text>.*)(?P=quote)[ \t]*")


class BadLine(Exception):
    """A line that means nothing, or that other readers of `.env` read differently. Its message contains no value."""


def read(file: Path) -> dict[str, str]:
    """Return the variables of the file; none if there is no such file.

    :raises BadLine: naming the line and the variable.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise BadLine(f"{file.name}: cannot be read: {type(error).__name__}") from None
    variables: dict[str, str] = {}
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if line.strip(" \t") and not line.lstrip(" \t").startswith("#"):
            name, value = _parsed(line, f"{file.name} line {number}")
            variables[name] = value
    return variables


def _parsed(line: str, where: str) -> tuple[str, str]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise BadLine(f"{where}: not NAME=value, a comment, or empty")
    try:
        return found["name"], _value(found["value"])
    except ValueError as error:
        raise BadLine(f"{where}, {found['name']}: {error}") from None


def _value(text: str) -> str:
    """Return a value that all readers of `.env` read in the same way: unquoted, or quoted without such quotes
    inside.
    """
    if not text.isprintable() and not text.replace("\t", " ").isprintable():
        raise ValueError("it contains an invisible character")
    if "\\" in text:
        raise ValueError("readers disagree about a backslash; set this one in the environment")
    if quoted := _QUOTED.fullmatch(text):
        return _between(quoted["quote"], quoted["text"])
    return _bare(text.strip(" \t"))


def _between(quote: str, text: str) -> str:
    if quote in text:
        raise ValueError("a quote stands within quotes of its kind; use the other kind, or the environment")
    if quote == '"' and ("$" in text or "`" in text):
        raise ValueError("some readers expand $ and ` between double quotes; use single quotes")
    return text


def _bare(text: str) -> str:
    if "'" in text or '"' in text:
        raise ValueError("a quote has to be around the whole value, within quotes of the other kind")
    if "$" in text or "`" in text:
        raise ValueError("some readers expand $ and `; put the value in single quotes")
    if text.startswith("#") or " #" in text or "\t#" in text:
        raise ValueError("# may begin a comment; put the value in single quotes, and a comment on its own line")
    return text
