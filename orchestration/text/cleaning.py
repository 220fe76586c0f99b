r"""Makes text and facts from outside harmless: fit for JSON, PostgreSQL, XML, a log line and a terminal.

A harmful character becomes a visible escape such as `\x85`. These are harmful:

- control characters (C0, DEL, C1) and the line and paragraph separators: they end a log line or control a terminal;
- bidirectional controls (Unicode standard annex 9): they change the order in which text is displayed;
- surrogates, U+FFFE and U+FFFF: UTF-8 or XML cannot encode them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Any

LONGEST_TEXT = 1_000
"""The most characters kept of a text or a name."""
MOST_PARTS = 500
"""The most values kept of facts, counted over all levels."""
DEEPEST = 8
"""The most levels kept of facts."""
WHOLE_NUMBERS = range(-(2**63), 2**63)
"""Integers that JSON libraries and databases store without loss."""

_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_EMBEDDINGS = r"\u202a-\u202e\u2066-\u206f"
_BIDIRECTIONAL = rf"\u061c\u200e\u200f{_EMBEDDINGS}"
_SURROGATES = r"\ud800-\udfff"
HARMFUL_IN_NAMES = rf"{_CONTROL}{_EMBEDDINGS}\ufffe\uffff"
"""Characters that a name or an address must not have, as in a class of a regular expression.

Marks of direction are allowed: Arabic and Hebrew are written with them. JSON fields refuse surrogates by themselves.
"""

_HARMFUL = re.compile(rf"[{_CONTROL}{_SURROGATES}\ufffe\uffff{_BIDIRECTIONAL}]")
_HARMFUL_IN_LINES = re.compile(_HARMFUL.pattern.replace(r"\x00-\x1f", r"\x00-\x08\x0b-\x1f"))
_UNSTORABLE = re.compile(rf"[\x00{_SURROGATES}]")


def harmless_text(text: str, *, longest: int = LONGEST_TEXT) -> str:
    """Return the text as one harmless line of at most `longest` characters. A second call changes nothing."""
    escaped = _HARMFUL.sub(_escape, text[: longest + 1])
    return escaped if len(escaped) <= longest else f"{escaped[: longest - 1]}…"


def is_harmless(text: str) -> bool:
    """Return whether the text is one harmless line already."""
    return not _HARMFUL.search(text)


def can_be_stored(text: str) -> bool:
    """Return whether PostgreSQL can store the text. It stores neither NUL nor surrogates (bytes that are not UTF-8)."""
    return not _UNSTORABLE.search(text)


def harmless_lines(text: str) -> str:
    """Return the whole text, made harmless. Line breaks (LF) and tabs stay."""
    return _HARMFUL_IN_LINES.sub(_escape, text)


def text_of(value: object, *, longest: int = LONGEST_TEXT) -> str:
    """Return `str(value)`, made harmless. If `str` raises, as an adapter's own error may, return the class name."""
    try:
        text = str(value)
    except Exception:
        text = f"({type(value).__name__})"
    return harmless_text(text, longest=longest)


def harmless(facts: Any) -> Any:
    """Return the facts as JSON that every store and every message can hold.

    Texts and names are made harmless. NaN, infinity, integers beyond 64 bits and types unknown to JSON become text.
    Facts beyond `MOST_PARTS` or `DEEPEST` are cut off.
    """
    return _harmless(facts, iter(range(MOST_PARTS)), DEEPEST)


def _harmless(value: Any, left: Iterator[int], depth: int) -> Any:
    match value:
        case None | bool():
            return value
        case str():
            return harmless_text(value)
        case int() if value in WHOLE_NUMBERS:
            return int(value)
        case float() if isfinite(value):
            return float(value)
        case Mapping() if depth:
            return {text_of(name): _harmless(member, left, depth - 1) for name, member in _first(value.items(), left)}
        case list() | tuple() | set() | frozenset() if depth:
            return [_harmless(member, left, depth - 1) for member in _first(value, left)]
        case _:
            return text_of(value)


def _first(parts: Iterable[Any], left: Iterator[int]) -> Iterator[Any]:
    """Return the first parts, as many as `left` allows."""
    return (part for _, part in zip(left, parts, strict=False))


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
