r"""Text and facts from outside, made harmless: what JSON, PostgreSQL, XML, a log line and a terminal can carry.

A harmful character becomes a visible escape such as `\x85`. These are harmful:

- control characters (C0, DEL, C1) and the line and paragraph separators: they end a log line or control a terminal;
- bidirectional controls (Unicode standard annex 9): they make text read otherwise than it is written;
- surrogates, U+FFFE and U+FFFF: UTF-8 or XML has no place for them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import Any

LONGEST_TEXT = 1_000
"""Characters that are kept of a text, or of a name."""
MOST_PARTS = 500
"""Values that are kept of facts, counted through all levels."""
DEEPEST = 8
"""Levels that are kept of facts."""
WHOLE_NUMBERS = range(-(2**63), 2**63)
"""What JSON libraries and databases take without loss."""

_BIDIRECTIONAL = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"
_HARMFUL = re.compile(rf"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff{_BIDIRECTIONAL}]")
_HARMFUL_IN_LINES = re.compile(_HARMFUL.pattern.replace(r"\x00-\x1f", r"\x00-\x08\x0b-\x1f"))


def harmless_text(text: str, *, longest: int = LONGEST_TEXT) -> str:
    """Return the text in one harmless line of at most `longest` characters. Doing so again changes nothing."""
    escaped = _HARMFUL.sub(_escape, text[: longest + 1])
    return escaped if len(escaped) <= longest else f"{escaped[: longest - 1]}…"


def is_harmless(text: str) -> bool:
    """Say whether the text is one harmless line already."""
    return not _HARMFUL.search(text)


def harmless_lines(text: str) -> str:
    """Return the text harmless and whole, with its line breaks (LF) and tabs."""
    return _HARMFUL_IN_LINES.sub(_escape, text)


def text_of(value: object, *, longest: int = LONGEST_TEXT) -> str:
    """Return what `str` makes of the value, harmless; its class when `str` raises, as an adapter's own error may."""
    try:
        text = str(value)
    except Exception:
        text = f"({type(value).__name__})"
    return harmless_text(text, longest=longest)


def harmless(facts: Any) -> Any:
    """Return the facts as JSON that every store and every message takes.

    Texts and names are made harmless. NaN, infinity, integers beyond 64 bits and what JSON has no type for become text.
    What exceeds `MOST_PARTS` or `DEEPEST` is cut off.
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
    """As many parts as are left."""
    return (part for _, part in zip(left, parts, strict=False))


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
