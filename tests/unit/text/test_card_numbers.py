"""Card numbers are found wherever they stand in a text; ids, times and other numbers are not taken for one."""

import random
import time
from hashlib import sha256
from uuid import UUID

import pytest

from orchestration.text.card_numbers import HIDDEN, holds_card_number, without_card_numbers

VISA, AMEX, OLD_VISA, MAESTRO = "4242424242424242", "378282246310005", "4222222222222", "6304000000000000000"


@pytest.mark.parametrize("number", [VISA, AMEX, OLD_VISA, MAESTRO])
@pytest.mark.parametrize(
    "around", ["{}", "my card {}", "card{}card", "tok_{}", "12 {} 12/27", "{} 123", "\u00fc{}\u00fc"]
)
def test_a_card_number_is_found_wherever_it_stands(number: str, around: str) -> None:
    text = around.format(number)
    assert holds_card_number(text)
    assert number not in without_card_numbers(text)
    assert HIDDEN in without_card_numbers(text)


@pytest.mark.parametrize(
    "written",
    [
        *("4242 4242 4242 4242", "4242-4242-4242-4242", "4242_4242_4242_4242", "4242  4242\u00a042424242"),
        *("4242\u20134242\u20134242\u20134242", "4242\u200b424242424242"),
        "".join(chr(0xFF10 + int(digit)) for digit in VISA),  # fullwidth digits
    ],
    ids=ascii,
)
def test_a_card_number_is_found_however_it_is_written(written: str) -> None:
    assert holds_card_number(written)
    assert without_card_numbers(f"paid by {written}, thanks") == f"paid by {HIDDEN}, thanks"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4242424242424241",
        "424242424242",
        VISA + "0000",
        "+49 170 1234567",
        "1753776000004",
        "20261201093000",
        "0" * 16,
    ],
)
def test_other_numbers_are_none(text: str) -> None:
    assert not holds_card_number(text)
    assert without_card_numbers(text) == text


def test_ids_made_by_chance_are_none() -> None:
    chance = random.Random(12)
    for _ in range(100_000):
        key = UUID(int=chance.getrandbits(128), version=4)
        assert not holds_card_number(f"order-{key}-1"), key
        assert not holds_card_number(key.hex), key


def test_digests_are_none() -> None:
    for number in range(10_000):
        assert not holds_card_number(sha256(str(number).encode()).hexdigest())


def test_several_card_numbers_are_all_hidden() -> None:
    assert without_card_numbers(f"{VISA} or {AMEX}/{VISA}") == f"{HIDDEN} or {HIDDEN}/{HIDDEN}"
    assert without_card_numbers(f"{VISA} {VISA}") in (HIDDEN, f"{HIDDEN} {HIDDEN}")


def test_many_digits_take_no_time() -> None:
    began = time.process_time()
    assert not holds_card_number("9 " * 3_000)
    assert time.process_time() - began < 1
