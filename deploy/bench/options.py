"""Parsers of the options of a measurement."""

from argparse import ArgumentTypeError

from deploy.bench.variants import VARIANTS


def whole_number(text: str) -> int:
    """Parse a whole number above zero.

    :raises ArgumentTypeError: when the text is not one.
    """
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)


def whole_number_or_0(text: str) -> int:
    """Parse a whole number of at least zero.

    :raises ArgumentTypeError: when the text is not one.
    """
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def whole_numbers(text: str) -> list[int]:
    """Parse a comma-separated list of whole numbers above zero.

    :raises ArgumentTypeError: when the text is not one.
    """
    return [whole_number(part.strip()) for part in text.split(",")]


def seconds(text: str) -> float:
    """Parse a number of seconds above zero.

    :raises ArgumentTypeError: when the text is not one.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not a number of seconds above zero")
    return value


def variants(text: str) -> list[str]:
    """Parse a comma-separated list of variants and drop repeated names.

    :raises ArgumentTypeError: when a variant is unknown, or needs another one that is not measured before it.
    """
    names = list(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        if name not in VARIANTS:
            raise ArgumentTypeError(f"{name!r} is none of {', '.join(VARIANTS)}")
    for position, name in enumerate(names):
        if VARIANTS[name].share_of_base and "base" not in names[:position]:
            raise ArgumentTypeError(f"{name} is a share of base: list base before it")
    return names
