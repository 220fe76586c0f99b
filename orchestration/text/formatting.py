"""Formats times, spans, counts, errors and money for people."""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestration.text.cleaning import harmless_text

NOTHING = "–"  # noqa: RUF001  an en dash is meant
_FILLERS = "\N{HANGUL CHOSEONG FILLER}\N{HANGUL JUNGSEONG FILLER}\N{HANGUL FILLER}\N{HALFWIDTH HANGUL FILLER}"
"""Alphabetic characters that are displayed as blanks."""
_WITHOUT_SHAPE = frozenset({"Cf", "Zs"})
_BLANK = frozenset(
    f"{_FILLERS}\N{COMBINING GRAPHEME JOINER}\N{BRAILLE PATTERN BLANK}\u17b4\u17b5\u180b\u180c\u180d\u180f"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))  # variation selectors
)
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def can_be_seen(text: str) -> bool:
    """Return whether the text has a visible character: no space, format or `Default_Ignorable_Code_Point` (Unicode)."""
    return any(unicodedata.category(each) not in _WITHOUT_SHAPE and each not in _BLANK for each in text)


def says_something(text: str) -> bool:
    """Return whether the text has a visible letter or digit."""
    return any(each.isalnum() and each not in _FILLERS for each in text)


def for_the_record(text: str) -> str:
    """Return an operator's text as one harmless line. Line breaks become spaces, so that it cannot forge a log line."""
    return harmless_text(" ".join(text.split()))


def moment(at: datetime | None) -> str:
    """Format a time in UTC, to the millisecond."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] if at else NOTHING


def time_of_day(at: datetime, now: datetime) -> str:
    """Format a time of day in UTC, with the date unless it is today."""
    return moment(at)[:19] if at.date() != now.date() else moment(at)[11:19]


def span(length: timedelta) -> str:
    """Format a length of time in its two largest units, such as "2 h 5 min"."""
    left = max(0, int(length.total_seconds()))
    parts = []
    for unit, seconds in _UNITS:
        count, left = divmod(left, seconds)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun, such as "1 saga", "2 sagas" or "0 batches"."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def one_line(error: BaseException) -> str:
    """Return an exception's message as one harmless line; its class if the message is empty."""
    return for_the_record(str(error)) or type(error).__name__


def error(detail: Mapping[str, Any] | None) -> str:
    """Format the detail of a failed try or a refusal: its class or code, then its message."""
    if not detail:
        return NOTHING
    said = (detail.get("class") or detail.get("code"), detail.get("message") or detail.get("detail"))
    return ": ".join(str(part) for part in said if part) or NOTHING


_MINOR_DIGITS = {**dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)} | dict.fromkeys(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0
)
"""Digits after the decimal point by currency, where it is not two (ISO 4217)."""


def minor_digits(currency: str) -> int:
    """Return the number of digits after the decimal point of amounts in this currency."""
    return _MINOR_DIGITS.get(currency, 2)


def money(amount_minor: int, currency: str) -> str:
    """Format an amount in the unit of its currency, such as "12.50 EUR"."""
    digits = minor_digits(currency)
    return f"{amount_minor / 10**digits:,.{digits}f} {currency}"
