"""Texts of the environment as values; a ValueError says what is wrong with one."""

from collections.abc import Callable
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from cryptography.fernet import Fernet

_FLAGS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def flag(text: str) -> bool:
    """true or false, in any of the usual spellings."""
    try:
        return _FLAGS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"{text!r} is neither true nor false") from None


def words(text: str) -> list[str]:
    """A comma-separated list."""
    return [word.strip() for word in text.split(",") if word.strip()]


def count(text: str) -> int:
    """A whole number above zero."""
    number = int(text)
    if number <= 0:
        raise ValueError(f"{number} is not above zero")
    return number


def limit(text: str) -> int:
    """A whole number; 0 is no limit."""
    number = int(text)
    if number < 0:
        raise ValueError(f"{number} is below zero")
    return number


def seconds(text: str) -> float:
    """A time above zero."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(f"{number} is not above zero")
    return number


def one_of(*choices: str) -> Callable[[str], str]:
    """One of these words, as written."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is not one of {', '.join(choices)}")
        return text

    return read


def url(*schemes: str) -> Callable[[str], str]:
    """A URL with one of these schemes. What is wrong is said without the URL: it may hold a password."""

    def read(text: str) -> str:
        parts = urlsplit(text)
        if "://" not in text or parts.scheme not in schemes:
            raise ValueError(f"not a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        try:
            _ = parts.port
        except ValueError:
            raise ValueError("its port is not a number from 0 to 65535") from None
        return text

    return read


def address(text: str) -> str:
    """Where a site is reached: http or https, without a slash at the end."""
    return url("http", "https")(text).rstrip("/")


def fernet_keys(text: str) -> list[str]:
    """Keys for encryption, at least one: the first encrypts, all decrypt."""
    keys = words(text)
    if not keys:
        raise ValueError("no key in it")
    for number, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError:
            raise ValueError(f"key {number} is not 32 url-safe base64-encoded bytes") from None
    return keys


def share(text: str) -> float:
    """A part of the whole, from 0 to 1."""
    number = float(text)
    if not 0 <= number <= 1:
        raise ValueError(f"{number} is not from 0 to 1")
    return number


def traces(text: str) -> str:
    """Where traces go: otlp, or file: and a path."""
    if text != "otlp" and not text.startswith("file:/"):
        raise ValueError(f"{text!r} is neither otlp nor file: and an absolute path")
    if find_spec("opentelemetry") is None:
        raise ValueError("OpenTelemetry is not installed; pip install -r requirements-otel.txt")
    return text


def networks(text: str) -> list[IPv4Network | IPv6Network]:
    """A comma-separated list of IP networks or addresses."""
    return [ip_network(word) for word in words(text)]


def importable(text: str) -> str:
    """The dotted path of a class whose module is there."""
    module, _, name = text.rpartition(".")
    try:
        found = bool(module and name and find_spec(module))
    except ModuleNotFoundError:
        found = False
    if not found:
        raise ValueError(f"there is no module {module or text!r}")
    return text
