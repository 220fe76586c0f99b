"""What may be asked of a measurement, read from its options."""

from argparse import ArgumentTypeError

from deploy.bench.variants import VARIANTS


def whole_number(text: str) -> int:
    """:raises ArgumentTypeError: when it is not a whole number above zero."""
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)


def whole_number_or_0(text: str) -> int:
    """:raises ArgumentTypeError: when it is not a whole number."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def whole_numbers(text: str) -> list[int]:
    """:raises ArgumentTypeError: when it is not a list of whole numbers above zero, with commas between them."""
    return [whole_number(part.strip()) for part in text.split(",")]


def seconds(text: str) -> float:
    """:raises ArgumentTypeError: when it is not a time above zero."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not a number of seconds above zero")
    return value


def variants(text: str) -> list[str]:
    """Names of variants, each once, with commas between them.

    :raises ArgumentTypeError: when one is unknown, or needs another that is not measured before it.
    """
    names = list(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        if name not in VARIANTS:
            raise ArgumentTypeError(f"{name!r} is none of {', '.join(VARIANTS)}")
    for position, name in enumerate(names):
        if VARIANTS[name].share_of_base and "base" not in names[:position]:
            raise ArgumentTypeError(f"{name} is a share of base: name base before it")
    return names
