"""The environment: what is unknown, missing or unreadable is one line that names it, and the process ends."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from config import env
from deploy.isolation import isolated

ROOT = Path(__file__).resolve().parents[3]
DEBUG = {"SHOP_DEBUG": "true"}
KEYS = ["bm90LWZvci1wcm9kdWN0aW9uLW9ubHktZm9yLXRlc3Q=", "YW5vdGhlci1vbmUtYWxzby1vbmx5LWZvci10ZXN0aW4="]
REQUIRED = {"SHOP_SECRET_KEY": "not-for-development", "SHOP_SEALING_KEYS": f"{KEYS[0]}, {KEYS[1]}"}

BAD: dict[str, tuple[dict[str, str], str]] = {
    "unknown, with a suggestion": (
        DEBUG | {"SHOP_BROKER_ULR": "amqp://"},
        "SHOP_BROKER_ULR: there is no such setting; did you mean SHOP_BROKER_URL?",
    ),
    "unknown, like nothing else": (DEBUG | {"SHOP_XYZZY": "1"}, "SHOP_XYZZY: there is no such setting"),
    "missing secret": ({}, "SHOP_SECRET_KEY: missing (required unless SHOP_DEBUG is true)"),
    "missing keys": (
        {"SHOP_SECRET_KEY": "given"},
        "SHOP_SEALING_KEYS: missing (required unless SHOP_DEBUG is true)",
    ),
    "empty secret": (
        REQUIRED | {"SHOP_SECRET_KEY": ""},
        "SHOP_SECRET_KEY: missing (required unless SHOP_DEBUG is true)",
    ),
    "queue type": (
        DEBUG | {"SHOP_QUEUE_TYPE": "quorom"},
        "SHOP_QUEUE_TYPE: 'quorom' is not one of classic, quorum",
    ),
    "not a number": (
        DEBUG | {"SHOP_BREAKER_FAIL_MAX": "many"},
        "SHOP_BREAKER_FAIL_MAX: invalid literal for int() with base 10: 'many'",
    ),
    "not above zero": (
        DEBUG | {"SHOP_PRESUMED_LOST_SECONDS": "0"},
        "SHOP_PRESUMED_LOST_SECONDS: 0.0 is not above zero",
    ),
    "failpoints in production": (
        REQUIRED | {"SHOP_FAULT_POINTS": "true"},
        "SHOP_FAULT_POINTS: only for tests, with SHOP_DEBUG true; here it would lose orders",
    ),
    "neither true nor false": ({"SHOP_DEBUG": "ture"}, "SHOP_DEBUG: 'ture' is neither true nor false"),
    "a key that seals nothing": (
        DEBUG | {"SHOP_SEALING_KEYS": "short"},
        "SHOP_SEALING_KEYS: key 1 is not 32 url-safe base64-encoded bytes",
    ),
    "a list of no keys": (DEBUG | {"SHOP_SEALING_KEYS": ","}, "SHOP_SEALING_KEYS: no key in it"),
    "no scheme": (
        DEBUG | {"SHOP_POSTGRES_URL": "127.0.0.1:5432"},
        "SHOP_POSTGRES_URL: not a URL that begins with postgres:// or postgresql://",
    ),
    "a port that is none": (
        DEBUG | {"SHOP_REDIS_URL": "redis://127.0.0.1:port/0"},
        "SHOP_REDIS_URL: its port is not a number from 0 to 65535",
    ),
    "a log level that is none": (
        DEBUG | {"SHOP_LOG_LEVEL": "LOUD"},
        "SHOP_LOG_LEVEL: 'LOUD' is not one of DEBUG, INFO, WARNING, ERROR, CRITICAL",
    ),
    "a carrier that is not there": (
        DEBUG | {"SHOP_CARRIER": "shipping.carriers.pigeon.Pigeon"},
        "SHOP_CARRIER: there is no module 'shipping.carriers.pigeon'",
    ),
    "development key outside debug": (
        {"SHOP_SECRET_KEY": "given", "SHOP_SEALING_KEYS": env.SETTINGS["SEALING_KEYS"].development[0]},
        "SHOP_SEALING_KEYS: this is the development key; make your own",
    ),
}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment that says nothing of the shop, and no `.env`."""
    for name in [name for name in os.environ if name.startswith(env.PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(env, "DOTENV", tmp_path / ".env")


def given(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(("variables", "said"), BAD.values(), ids=BAD.keys())
def test_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str) -> None:
    given(monkeypatch, variables)
    with pytest.raises(env.BadSetting, match=f"^{re.escape(said)}$"):
        env.read()


@pytest.mark.processes
@pytest.mark.parametrize("case", ["unknown, with a suggestion", "missing secret", "queue type", "not a number"])
def test_command_with_a_bad_setting_ends_with_one_line_and_code_1(case: str) -> None:
    variables, said = BAD[case]
    finished = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**isolated({"PATH": os.environ["PATH"]}), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (finished.returncode, finished.stdout, finished.stderr) == (1, "", f"setting {said}\n")


def test_debug_needs_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, DEBUG)
    values = env.read()
    assert values["DEBUG"] is True
    assert all(values[name] is not None for name in env.SETTINGS)


def test_what_is_required_is_enough_without_debug(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, REQUIRED)
    values = env.read()
    assert (values["DEBUG"], values["SECRET_KEY"], values["SEALING_KEYS"]) == (
        False,
        "not-for-development",
        KEYS,
    )


def test_settings_are_read_from_the_file_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    env.DOTENV.write_text("SHOP_NO_SUCH_SETTING=1\n")
    (tmp_path / "named").write_text("SHOP_QUEUE_PREFIX=named.\n")
    given(monkeypatch, DEBUG | {env.FILE_VARIABLE: str(tmp_path / "named"), "SHOP_QUEUE_PREFIX": "x"})
    monkeypatch.delenv("SHOP_QUEUE_PREFIX")  # set and deleted, so that the end of the test deletes what is read
    assert env.read()["QUEUE_PREFIX"] == "named."


def test_a_named_file_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given(monkeypatch, DEBUG | {env.FILE_VARIABLE: str(tmp_path / "nowhere")})
    with pytest.raises(env.BadSetting, match=r"^SHOP_ENV_FILE: there is no file /.*/nowhere$"):
        env.read()


def test_every_alias_has_a_database_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, DEBUG | {"SHOP_POSTGRES_URL": "postgres://ada:pw@10.0.0.1:6432/", "SHOP_DATABASE_PREFIX": "t_"})
    databases = {alias: env.database(env.read(), alias) for alias in env.ALIASES}
    assert [database["NAME"] for database in databases.values()] == [f"t_{alias}" for alias in env.ALIASES]
    assert {(database["USER"], database["HOST"], database["PORT"]) for database in databases.values()} == {
        ("ada", "10.0.0.1", "6432")
    }


def test_alias_with_its_own_url_uses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, DEBUG | {"SHOP_PAYMENTS_DATABASE_URL": "postgres://pay@10.0.0.2:5432/money"})
    assert env.database(env.read(), "payments")["NAME"] == "money"
    assert env.database(env.read(), "orders")["NAME"] == "shop_orders"


def test_database_that_is_not_postgresql_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, DEBUG | {"SHOP_POSTGRES_URL": "mysql://root@127.0.0.1:3306"})
    with pytest.raises(env.BadSetting, match=r"^SHOP_POSTGRES_URL: not a URL that begins with postgres://"):
        env.read()


def test_a_secret_that_looks_like_a_variable_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, REQUIRED | {"SHOP_SECRET_KEY": "$tr0ng"})
    assert env.read()["SECRET_KEY"] == "$tr0ng"


def test_every_setting_is_in_the_example() -> None:
    example = (ROOT / ".env.example").read_text()
    generic = [name for name in env.SETTINGS if not name.endswith("_DATABASE_URL")]
    assert [name for name in generic if f"SHOP_{name}=" not in example] == []
