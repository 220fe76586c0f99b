"""Parsers of the texts in the environment. Each raises ValueError with the reason when a text is wrong."""

from collections.abc import Callable
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from cryptography.fernet import Fernet

_FLAGS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def flag(text: str) -> bool:
    """Parse true or false in any of the usual spellings."""
    try:
        return _FLAGS[text.strip().lower()]
    except KeyError:
        raise ValueError(f"{text!r} is neither true nor false") from None


def words(text: str) -> list[str]:
    """Parse a comma-separated list."""
    return [word.strip() for word in text.split(",") if word.strip()]


def count(text: str) -> int:
    """Parse a whole number above zero."""
    number = int(text)
    if number <= 0:
        raise ValueError(f"{number} is not above zero")
    return number


def limit(text: str) -> int:
    """Parse a whole number; 0 means no limit."""
    number = int(text)
    if number < 0:
        raise ValueError(f"{number} is below zero")
    return number


def seconds(text: str) -> float:
    """Parse a time in seconds above zero."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(f"{number} is not above zero")
    return number


def one_of(*choices: str) -> Callable[[str], str]:
    """Return a parser that accepts one of these words, spelled exactly."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is not one of {', '.join(choices)}")
        return text

    return read


def url(*schemes: str) -> Callable[[str], str]:
    """Return a parser of URLs with one of these schemes. Its errors do not quote the URL, which may hold a password."""

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
    """Parse the address of a site: http or https, without a slash at the end."""
    return url("http", "https")(text).rstrip("/")


def fernet_keys(text: str) -> list[str]:
    """Parse at least one encryption key, comma-separated: the first encrypts, all of them decrypt."""
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
    """Parse a share from 0 to 1."""
    number = float(text)
    if not 0 <= number <= 1:
        raise ValueError(f"{number} is not from 0 to 1")
    return number


def traces(text: str) -> str:
    """Parse the destination of traces: otlp, or file: and a path."""
    if text != "otlp" and not text.startswith("file:/"):
        raise ValueError(f"{text!r} is neither otlp nor file: and an absolute path")
    if find_spec("opentelemetry") is None:
        raise ValueError("OpenTelemetry is not installed; pip install -r requirements-otel.txt")
    return text


def networks(text: str) -> list[IPv4Network | IPv6Network]:
    """Parse a comma-separated list of IP networks or addresses."""
    return [ip_network(word) for word in words(text)]


def importable(text: str) -> str:
    """Check that the text is the dotted path of a class whose module exists, and return it."""
    module, _, name = text.rpartition(".")
    try:
        found = bool(module and name and find_spec(module))
    except ModuleNotFoundError:
        found = False
    if not found:
        raise ValueError(f"there is no module {module or text!r}")
    return text
