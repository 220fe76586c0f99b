"""Finds card numbers in text, because a shop must not store, log or repeat one (PCI DSS 3.5)."""

import re
from collections.abc import Iterator

HIDDEN = "(card number)"
REFUSED = "This looks like a card number. Leave it out; a payment method is sent as its token."

_LENGTHS = range(13, 20)  # ISO/IEC 7812-1 allows up to 19 digits; no scheme issues fewer than 13
_NO_SCHEME = ("0", "1", "20", "21")
"""Times and generated ids begin with these. No card number does (ISO/IEC 7812-1), except airlines' own cards."""
_BETWEEN = r"\s_\-\u2010-\u2015\u2212\u00ad\u200b-\u200f\u2060\ufeff"
"""Characters allowed between two digits of one number: spaces, dashes and invisible ones."""
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
"""For each digit, the sum of the digits of its double."""
_DIGITS = re.compile(r"\d+")
_ENOUGH_DIGITS = re.compile(rf"\d(?:[{_BETWEEN}]*\d){{12}}")
_RUN = re.compile(rf"\d[\d{_BETWEEN}]*")
_RANDOM_ID = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
    r"|(?=[0-9]*[A-Fa-f])[0-9A-Fa-f]{32,})(?![0-9A-Za-z])"
)
"""A UUID or a digest. One in a thousand has digits that look like a card number."""


def holds_card_number(text: str) -> bool:
    """Return whether the text holds groups of digits, 13 to 19 in all, that pass the Luhn check of card numbers.

    Digits inside UUIDs and digests do not count.
    """
    return any(_spans(text))


def without_card_numbers(text: str) -> str:
    """Return the text with `HIDDEN` in place of each card number."""
    for start, end in reversed(list(_outermost(_spans(text)))):
        text = f"{text[:start]}{HIDDEN}{text[end:]}"
    return text


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each card number, ordered by start. Spans may overlap."""
    if not _ENOUGH_DIGITS.search(text):
        return
    masked = _RANDOM_ID.sub(lambda found: "x" * len(found[0]), text)
    for run in _RUN.finditer(masked):
        groups = [(*group.span(), _in_ascii(group[0])) for group in _DIGITS.finditer(masked, *run.span())]
        for index, (start, _, _) in enumerate(groups):
            digits = ""
            for _, end, more in groups[index : index + _LENGTHS[-1]]:
                digits += more
                if _is_card_number(digits):
                    yield start, end


def _outermost(spans: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield these spans, with overlapping ones merged."""
    start = end = -1
    for span in spans:
        if span[0] >= end:
            if end > 0:
                yield start, end
            start = span[0]
        end = max(end, span[1])
    if end > 0:
        yield start, end


def _is_card_number(digits: str) -> bool:
    return len(digits) in _LENGTHS and not digits.startswith(_NO_SCHEME) and _passes_luhn(digits)


def _passes_luhn(digits: str) -> bool:
    """Return whether the digits pass the Luhn check (ISO/IEC 7812-1, annex B)."""
    return (sum(map(int, digits[-1::-2])) + sum(map(_DOUBLED.__getitem__, map(int, digits[-2::-2])))) % 10 == 0


def _in_ascii(digits: str) -> str:
    """Return the digits of any script as ASCII digits."""
    return digits if digits.isascii() else "".join(str(int(digit)) for digit in digits)
