"""Parses addresses of PostgreSQL databases in the same way as libpq, PostgreSQL's client library."""

from collections.abc import Mapping
from typing import Any

from psycopg import ProgrammingError, pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

SCHEMES = ("postgres", "postgresql")
_PLACE = {"user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT", "dbname": "NAME"}
"""The parameters that have a Django name of their own. All others are options."""
_WHOLE_NUMBERS = frozenset(
    {"connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"}
)
_SWITCHES = frozenset({"keepalives", "sslcompression", "sslsni"})
_NOT_TRIED = frozenset({"user", "password", "sslpassword", "dbname", "host", "hostaddr"})


def database_url(text: str) -> str:
    """Check the address of one database and return it. Errors never quote the address: it may hold a password."""
    if "dbname" not in _checked(text):
        raise ValueError("it names no database")
    return text


def server_url(text: str) -> str:
    """Check the address of a server, without a database name, and return it."""
    if "dbname" in _checked(text):
        raise ValueError(
            "it names a database; it is for the server, whose databases are SHOP_DATABASE_PREFIX + service"
        )
    return text


def django_database(url: str, *, name: str | None = None) -> dict[str, Any]:
    """Return Django's settings of the database at this address. `name`, if given, is the database's name."""
    parameters = conninfo_to_dict(url) | ({"dbname": name} if name else {})
    place = {django: parameters.pop(libpq, "") for libpq, django in _PLACE.items()}
    return {"ENGINE": "django.db.backends.postgresql", **place, "OPTIONS": parameters}


def _checked(text: str) -> Mapping[str, Any]:
    if not text.startswith(tuple(f"{scheme}://" for scheme in SCHEMES)):
        raise ValueError(f"not a URL that begins with {' or '.join(f'{scheme}://' for scheme in SCHEMES)}")
    parameters = _parsed(text)
    if not all(_is_port(port) for port in str(parameters.get("port", "")).split(",")):
        raise ValueError("its port is not a number from 0 to 65535")
    for option, value in parameters.items():
        _refuse_malformed(option, str(value))
    _try(parameters)
    return parameters


def _parsed(text: str) -> Mapping[str, Any]:
    """Parse the address. Repeat only libpq's errors about an option's name: others may quote the whole address."""
    before, _, query = text.partition("://")[2].partition("?")
    _, _, path = before.partition("/")
    try:
        if "@" not in path:  # a path with @ is the rest of a password, which libpq reads as the database
            return conninfo_to_dict(text)
    except ProgrammingError as error:
        if str(error).startswith("invalid URI query parameter") and "@" not in query:
            raise ValueError(str(error).strip()) from None
    raise ValueError(
        "it cannot be read; in its user, password, database and options, / ? # @ : & = % must be percent-encoded"
    )


def _is_port(text: str) -> bool:
    return text == "" or (text.isdecimal() and int(text) <= 65535)


def _refuse_malformed(option: str, value: str) -> None:
    """Check values that libpq checks only after it has connected."""
    if option in _WHOLE_NUMBERS and not value.isdecimal():
        raise ValueError(f"its option {option}: {value!r} is not a whole number")
    if option in _SWITCHES and value not in ("0", "1"):
        raise ValueError(f"its option {option}: {value!r} is neither 0 nor 1")
    if option == "client_encoding" and value.upper().replace("-", "") not in ("UTF8", "UNICODE"):
        raise ValueError(f"its option client_encoding: {value!r} is not UTF8, which the shop always speaks")


def _try(parameters: Mapping[str, Any]) -> None:
    """Let libpq check the options. It connects to a missing socket, so it refuses either an option or the socket."""
    hosts = max(str(parameters.get(name, "")).count(",") for name in ("host", "hostaddr")) + 1
    options = {name: value for name, value in parameters.items() if name not in _NOT_TRIED}
    nowhere = make_conninfo(host=",".join(["/nonexistent"] * hosts), user="nobody", dbname="none", **options)
    tried = pq.PGconn.connect_start(nowhere.encode())
    said = tried.error_message.decode(errors="replace").strip()
    tried.finish()
    if not said.startswith("connection to server"):
        raise ValueError(f"its options cannot be used: {said}")
