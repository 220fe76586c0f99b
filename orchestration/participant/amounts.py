"""Reads amounts and currencies from the arguments of commands."""

from argparse import ArgumentTypeError

from orchestration.contracts.values import LARGEST_AMOUNT_MINOR


def minor_units(text: str) -> int:
    """Read an amount in minor units.

    :raises ArgumentTypeError: when it is not a whole number from 1 to the largest amount.
    """
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text) <= LARGEST_AMOUNT_MINOR:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 to {LARGEST_AMOUNT_MINOR}")
    return int(text)


def currency_code(text: str) -> str:
    """Read a currency.

    :raises ArgumentTypeError: when it is not an ISO 4217 code.
    """
    if not (len(text) == 3 and text.isascii() and text.isalpha() and text.isupper()):
        raise ArgumentTypeError(f"{text!r} is not an ISO 4217 code, such as GBP")
    return text
