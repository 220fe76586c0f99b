"""Database addresses: whatever libpq reads takes effect; what cannot is refused, without the password."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

import pytest
from psycopg import pq

from config import env
from config.database_url import database_url, server_url
from config.settings import databases

Given = Callable[..., dict[str, Any]]

OTHERS: dict[str, str] = {
    "sslmode": "verify-full",
    "channel_binding": "prefer",
    "gssencmode": "disable",
    "sslnegotiation": "postgres",
    "ssl_min_protocol_version": "TLSv1.2",
    "ssl_max_protocol_version": "TLSv1.3",
    "min_protocol_version": "3.0",
    "max_protocol_version": "3.2",
    "require_auth": "scram-sha-256",
    "target_session_attrs": "read-write",
    "load_balance_hosts": "random",
    "sslcertmode": "allow",
    "client_encoding": "UTF8",
    "hostaddr": "127.0.0.1",
    "scram_client_key": "A" * 43 + "%3D",  # 32 bytes
    "scram_server_key": "A" * 43 + "%3D",
}
"""Values that libpq takes, where not any number or word does."""
ELSEWHERE = {"service", "servicefile", "user", "password", "host", "port", "dbname", "options"}
"""Tested by themselves, or (a service) found in files of the machine."""

BAD = {
    "an unknown option": ("h/?slmode=require", 'invalid URI query parameter: "slmode"'),
    "a value of no meaning": (
        "h/?sslmode=verify_full",
        'its options cannot be used: invalid sslmode value: "verify_full"',
    ),
    "a number that is none": ("h/?connect_timeout=5s", "its option connect_timeout: '5s' is not a whole number"),
    "a switch that is none": ("h/?keepalives=yes", "its option keepalives: 'yes' is neither 0 nor 1"),
    "another encoding": ("h/?client_encoding=latin1", "its option client_encoding: 'latin1' is not UTF8"),
    "more ports than hosts": (
        "a,b/?port=1,2,3",
        "its options cannot be used: could not match 3 port numbers to 2 hosts",
    ),
    "a port that is none": ("h:post/", "its port is not a number from 0 to 65535"),
    "a percent sign by itself": ("h/", "it cannot be read"),
}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Given:
    """Give Django's settings of a database whose shop has these variables."""

    def database(**variables: str) -> dict[str, Any]:
        for name in env.SETTINGS:
            monkeypatch.delenv(f"SHOP_{name}", raising=False)
        for name, value in {"SHOP_DEBUG": "true", **variables}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(databases, "VALUES", env.read())
        return databases._database("payments")

    return database


def _keywords() -> list[str]:
    """Everything that the libpq of today knows, but for what is for its own tests or nobody's (one of SSPI, say)."""
    options = pq.Conninfo.get_defaults()
    return [name for option in options if (name := option.keyword.decode()) not in ELSEWHERE]


@pytest.mark.parametrize("keyword", _keywords())
@pytest.mark.parametrize("variable", ["SHOP_POSTGRES_URL", "SHOP_PAYMENTS_DATABASE_URL"])
def test_every_option_that_libpq_knows_takes_effect_and_goes_before_ours(given, variable, keyword):
    value = OTHERS.get(keyword, "1")
    path = "shop_payments" if variable == "SHOP_PAYMENTS_DATABASE_URL" else ""
    database = given(**{variable: f"postgres://ada@10.0.0.1/{path}?{keyword}={value}"})
    assert database["OPTIONS"][keyword] == unquote(value)
    assert database["NAME"] == "shop_payments"


def test_options_for_the_session_are_joined_with_ours_and_count_where_both_say_something(given):
    database = given(SHOP_POSTGRES_URL="postgres://ada@h?options=-c%20lock_timeout%3D7s")
    assert database["OPTIONS"]["options"] == f"{databases.SESSION_OPTIONS} -c lock_timeout=7s"


def test_without_options_ours_hold(given):
    options = given()["OPTIONS"]
    assert options["options"] == databases.SESSION_OPTIONS
    assert (options["connect_timeout"], options["application_name"]) == (5, "shop-payments")


@pytest.mark.parametrize("password", ["p@ss", "a/b", "a#b", "a+b", "50%", "a?b", "a:b", "a&b=c", "ä b"])
def test_any_password_that_is_percent_encoded_arrives(given, password):
    encoded = quote(password, safe="+")
    for variable, path in (("SHOP_POSTGRES_URL", ""), ("SHOP_PAYMENTS_DATABASE_URL", "/shop_payments")):
        database = given(**{variable: f"postgres://ada:{encoded}@h:6432{path}?sslmode=require"})
        assert (database["USER"], database["PASSWORD"], database["HOST"]) == ("ada", password, "h")
        assert (database["PORT"], database["NAME"]) == ("6432", "shop_payments")


@pytest.mark.parametrize(
    "url",
    ["postgres:///?host=/run/postgresql", "postgres://%2Frun%2Fpostgresql", "postgres:///?host=%2Frun%2Fpostgresql"],
)
def test_a_socket_is_found_in_either_spelling(given, url):
    database = given(SHOP_POSTGRES_URL=url)
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("/run/postgresql", "", "shop_payments")


def test_several_hosts_are_tried_as_libpq_does(given):
    database = given(SHOP_POSTGRES_URL="postgres://ada@one:1,[::1]:2,three/?target_session_attrs=read-write")
    assert (database["HOST"], database["PORT"]) == ("one,::1,three", "1,2,")
    assert database["OPTIONS"]["target_session_attrs"] == "read-write"


@pytest.mark.parametrize(("rest", "said"), BAD.values(), ids=BAD.keys())
def test_what_cannot_take_effect_is_refused_by_name_without_the_password(given, rest, said):
    password = "hu%sh" if said == "it cannot be read" else "hush"
    with pytest.raises(env.BadSetting) as raised:
        given(SHOP_POSTGRES_URL=f"postgres://ada:{password}@{rest}")
    assert str(raised.value).startswith(f"SHOP_POSTGRES_URL: {said}")
    assert password not in str(raised.value)


@pytest.mark.parametrize(
    "password", ["hu/sh", "hu/sh@", "1/hush", "hu?sh=1", "hu?sh", "[hush", "hu%sh", "hu?a=hush&foo=1"]
)
def test_a_password_that_should_be_encoded_is_not_shown(password):
    for read, path in ((database_url, "/shop"), (server_url, "")):
        with pytest.raises(ValueError, match=r"^its? |\"foo\"$") as raised:
            read(f"postgres://ada:{password}@h{path}?foo=bar")
        assert "hush" not in str(raised.value)
        assert password not in str(raised.value)


def test_a_database_in_the_address_of_the_server_is_refused_and_one_that_is_needed_is_missed():
    with pytest.raises(ValueError, match="it names a database"):
        server_url("postgres://ada@h/shop")
    with pytest.raises(ValueError, match="it names no database"):
        database_url("postgres://ada@h:5432/")
