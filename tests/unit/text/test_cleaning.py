"""What comes from outside is made harmless: every store, message, log line and terminal can carry it."""

import json
import re
import unicodedata
from decimal import Decimal
from enum import StrEnum
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.text.cleaning import (
    DEEPEST,
    HARMFUL_IN_NAMES,
    LONGEST_TEXT,
    MOST_PARTS,
    can_be_stored,
    harmless,
    harmless_lines,
    harmless_text,
    is_harmless,
    text_of,
)

ANY_TEXT = st.text(st.characters(), max_size=50)  # surrogates and unassigned characters, too
ANY_FACTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(ANY_TEXT, parts, max_size=4),
    max_leaves=20,
)
LEGITIMATE = (
    "Zoë",
    "佐藤",
    "שלום",
    "\u0646\u0627\u0645\u0647\u200c\u0647\u0627",
    "👩\u200d👩\u200d👧",
    "O'Brien",
    "a\u00a0b",
)


class Kind(StrEnum):
    CARD = "card"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Declined\x00", r"Declined\x00"),
        (json.loads('"Declined \\ud83d"'), r"Declined \ud83d"),
        ("a\r\nb", r"a\r\nb"),
        ("a\x85b\x9b2J", r"a\x85b\x9b2J"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("pay \u202eeno ton\u202c", r"pay \u202eeno ton\u202c"),
        ("\u2066x\u2069\u200f\u061c", r"\u2066x\u2069\u200f\u061c"),
        ("\uffff", r"\uffff"),
    ],
    ids=ascii,
)
def test_a_harmful_character_becomes_a_visible_escape(said: str, shown: str) -> None:
    assert harmless_text(said) == shown


@pytest.mark.parametrize("text", LEGITIMATE)
def test_legitimate_text_stays_as_it_is(text: str) -> None:
    assert harmless_text(text) == harmless_lines(text) == text


def test_lines_keep_their_breaks_and_tabs_and_nothing_else() -> None:
    assert harmless_lines("a\n\tb\r\x1b[2J\x85") == "a\n\tb" + r"\r\x1b[2J\x85"


@given(ANY_TEXT)
def test_no_text_holds_what_ends_a_line_or_moves_a_cursor(text: str) -> None:
    shown = harmless_text(text)
    assert shown.splitlines() in ([shown], [])
    assert not [message for message in shown if unicodedata.category(message) in ("Cc", "Cs", "Zl", "Zp")]
    assert not [message for message in shown if unicodedata.bidirectional(message) in BIDIRECTIONAL_CONTROLS]
    assert harmless_text(shown) == shown


BIDIRECTIONAL_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@given(ANY_TEXT)
def test_xml_takes_the_lines(text: str) -> None:
    element = ElementTree.Element("text")
    element.text = harmless_lines(text)
    assert ElementTree.fromstring(ElementTree.tostring(element)).text == (element.text or None)


@given(ANY_FACTS)
def test_facts_become_json_that_postgresql_and_a_message_take(facts: Any) -> None:
    taken = harmless(facts)
    assert orjson.loads(orjson.dumps(taken)) == taken  # NaN would come back as null
    assert "\0" not in json.dumps(taken, ensure_ascii=False)
    assert harmless(taken) == taken


@pytest.mark.parametrize(
    ("fact", "taken"),
    [
        (float("nan"), "nan"),
        (json.loads("1e999"), "inf"),
        (2**63, "9223372036854775808"),
        (-(2**63), -(2**63)),
        (Decimal("1.50"), "1.50"),
        (Kind.CARD, "card"),
        (b"\xff", r"b'\xff'"),
        (10**5000, "(int)"),
        ((1, True, None), [1, True, None]),
        ({1: {"\x00": ["\x00"]}}, {"1": {r"\x00": [r"\x00"]}}),
    ],
    ids=lambda value: repr(value)[:20] if not isinstance(value, int) else "whole number",
)
def test_a_fact_that_json_cannot_carry_becomes_text(fact: Any, taken: Any) -> None:
    assert harmless(fact) == taken


def test_long_texts_many_parts_and_deep_levels_are_cut_off() -> None:
    deep: Any = "bottom"
    for _ in range(10_000):
        deep = [deep]
    assert len(harmless_text("\x00" * 10**6)) == len(harmless_text("x" * 10**6)) == LONGEST_TEXT
    assert len(harmless(dict.fromkeys(map(str, range(10**5))))) == MOST_PARTS
    assert len(orjson.dumps(harmless([[0] * 1_000] * 1_000))) < 10 * MOST_PARTS
    assert str(harmless(deep)).count("[") >= DEEPEST
    orjson.dumps(harmless(deep))


def test_an_error_that_cannot_say_what_it_is_is_named_by_its_class() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert text_of(Mute()) == "(Mute)"


@pytest.mark.parametrize("character", ["\u061c", "\u200e", "\u200f"])
def test_a_name_may_hold_marks_of_direction_and_logs_show_them(character: str) -> None:
    name = f"Ada{character}"
    assert re.fullmatch(f"[^{HARMFUL_IN_NAMES}]*", name)
    assert harmless_text(name) == f"Ada\\u{ord(character):04x}"


@given(st.characters())
def test_what_no_name_may_hold_is_harmful_everywhere(character: str) -> None:
    if re.search(f"[{HARMFUL_IN_NAMES}]", character) or not can_be_stored(character):
        assert not is_harmless(character)


def test_a_nul_and_a_surrogate_cannot_be_stored() -> None:
    assert [can_be_stored(each) for each in ("a\0", "a\udc80", "a\x01\u202e\uffff")] == [False, False, True]
