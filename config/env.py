"""The only reader of the environment."""

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config import dotenv, env_values, tls
from config.database_url import database_url, django_database, server_url

ALIASES = ("orchestration", "inventory", "payments", "shipping", "orders", "gateway", "carrier")
"""One database each; an app's label is its alias."""

PREFIX = "SHOP_"
FILE_VARIABLE = "SHOP_ENV_FILE"
"""Names the settings file to read instead of `.env`. Tests and demonstrations name an empty one."""
DOTENV = Path(__file__).resolve().parents[1] / ".env"
_DEVELOPMENT_KEY = "c2hvcC1kZXZlbG9wbWVudC1vbmx5LWtleS0wMDAwMDA="  # refused unless SHOP_DEBUG is true
_BROKERS = env_values.url("amqp", "amqps", "redis", "rediss", "memory")


class BadSetting(Exception):
    """A setting is missing, unknown or cannot be read; the message names it."""


@dataclass(frozen=True)
class Setting:
    """One environment variable: how its text is read, its value when absent (None: required outside debug)."""

    read: Callable[[str], Any]
    default: Any
    development: Any = None


SETTINGS: Mapping[str, Setting] = {
    "DEBUG": Setting(env_values.flag, False),
    "SECRET_KEY": Setting(str, None, development="development-only-" + "0" * 40),
    "SEALING_KEYS": Setting(env_values.fernet_keys, None, development=[_DEVELOPMENT_KEY]),
    "ALLOWED_HOSTS": Setting(env_values.words, ["localhost", "127.0.0.1"]),
    "CSRF_TRUSTED_ORIGINS": Setting(env_values.words, []),
    "TRUSTED_PROXIES": Setting(env_values.networks, []),
    "POSTGRES_URL": Setting(server_url, "postgres://postgres@127.0.0.1:5432"),
    "DATABASE_PREFIX": Setting(str, "shop_"),
    "DATABASE_POOL_SIZE": Setting(env_values.count, 4),
    **{f"{alias.upper()}_DATABASE_URL": Setting(database_url, "") for alias in ALIASES},
    **{
        f"{kind}_TLS_{name}": Setting(reader, "")
        for kind in tls.KINDS
        for name, reader in (("CA", str), ("VERIFY", env_values.flag), ("CERTIFICATE", str), ("KEY", str))
    },
    "BROKER_URL": Setting(_BROKERS, "amqp://guest:guest@127.0.0.1:5672//"),
    "QUEUE_PREFIX": Setting(str, ""),
    "QUEUE_TYPE": Setting(env_values.one_of("classic", "quorum"), "classic"),
    "REDIS_URL": Setting(env_values.url("redis", "rediss", "unix"), "redis://127.0.0.1:6379/0"),
    "LOG_LEVEL": Setting(env_values.one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), "INFO"),
    "METRICS_TOKEN": Setting(str, ""),
    "METRICS_NETWORKS": Setting(env_values.networks, env_values.networks("127.0.0.0/8, ::1/128")),
    "LOG_FORMAT": Setting(env_values.one_of("line", "json"), "line"),
    "TRACES": Setting(env_values.traces, ""),
    "TRACES_SHARE": Setting(env_values.share, 1.0),
    "PUBLIC_URL": Setting(env_values.address, ""),
    "FLOWER_URL": Setting(env_values.address, ""),
    "PAYMENT_GATEWAY": Setting(env_values.importable, "payments.gateways.sandbox.gateway.SandboxGateway"),
    "CARRIER": Setting(env_values.importable, "shipping.carriers.sandbox.carrier.SandboxCarrier"),
    "SANDBOX_TIMEOUT_SECONDS": Setting(env_values.seconds, 1.0),
    "BATCHES_AT_A_TIME": Setting(env_values.count, 2),
    "GO_ON_HERE": Setting(env_values.flag, True),
    "CALLS_AT_ONCE": Setting(env_values.count, 4),
    "BREAKER_FAIL_MAX": Setting(env_values.count, 5),
    "BREAKER_RESET_SECONDS": Setting(env_values.seconds, 30.0),
    "RECOVERY_PERIOD_SECONDS": Setting(env_values.seconds, 1.0),
    "PRESUMED_LOST_SECONDS": Setting(env_values.seconds, 10.0),
    "BACKLOG_LIMIT": Setting(env_values.limit, 0),
    "SETTLE_AFTER_SECONDS": Setting(env_values.seconds, 60.0),
    "AUDIT_PERIOD_SECONDS": Setting(env_values.limit, 3600),
    "KEY_MARGIN_SECONDS": Setting(env_values.seconds, 3600.0),
    "RETURN_DAYS": Setting(env_values.count, 30),
    "FAULT_POINTS": Setting(env_values.flag, False),
    "ADMIN_THEME": Setting(env_values.one_of("unfold", "stock"), "unfold"),
}
"""Every known variable, without the prefix."""


def read() -> dict[str, Any]:
    """Read every setting.

    :raises BadSetting: naming the first variable that is unknown, missing or malformed.
    """
    _load_file(_file())
    _refuse_unknown()
    debug = _value("DEBUG", debug=False)
    values = {name: _value(name, debug=debug) for name in SETTINGS}
    try:
        tls.check(values)
    except tls.BadTls as error:
        raise BadSetting(f"{PREFIX}{error}") from None
    if not debug and _DEVELOPMENT_KEY in values["SEALING_KEYS"]:
        raise BadSetting(f"{PREFIX}SEALING_KEYS: this is the development key; make your own")
    if not debug and values["FAULT_POINTS"]:
        raise BadSetting(f"{PREFIX}FAULT_POINTS: only for tests, with {PREFIX}DEBUG true; here it would lose orders")
    return values


def database(values: Mapping[str, Any], alias: str) -> dict[str, Any]:
    """Return Django's settings of one alias's database: from its own URL, or from the server's URL
    and the prefixed name.
    """
    setting = database_setting(values, alias)
    is_server = setting == "POSTGRES_URL"
    return django_database(values[setting], name=f"{values['DATABASE_PREFIX']}{alias}" if is_server else None)


def database_setting(values: Mapping[str, Any], alias: str) -> str:
    """Return the name, without the prefix, of the setting that addresses the alias's database: its
    own URL or the server's.
    """
    own = f"{alias.upper()}_DATABASE_URL"
    return own if values[own] else "POSTGRES_URL"


def web_threads() -> int:
    """Read how many requests a web process works on at a time.

    :raises BadSetting: when it is not a whole number above zero.
    """
    try:
        return env_values.count(os.environ.get("WEB_THREADS") or "16")
    except ValueError as error:
        raise BadSetting(f"WEB_THREADS: {error}") from None


def _load_file(file: Path) -> None:
    """Add the file's variables to the environment, which takes precedence. Child processes inherit them."""
    try:
        variables = dotenv.read(file)
    except dotenv.BadLine as error:
        raise BadSetting(str(error)) from None
    for name, value in variables.items():
        os.environ.setdefault(name, value)


def _file() -> Path:
    named = os.environ.get(FILE_VARIABLE)
    if named and not Path(named).exists():
        raise BadSetting(f"{FILE_VARIABLE}: there is no file {named}")
    return Path(named) if named else DOTENV


def _refuse_unknown() -> None:
    for name in os.environ:
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in SETTINGS and name != FILE_VARIABLE:
            near = difflib.get_close_matches(name.removeprefix(PREFIX), SETTINGS, n=1)
            hint = f"; did you mean {PREFIX}{near[0]}?" if near else ""
            raise BadSetting(f"{name}: there is no such setting{hint}")


def _value(name: str, *, debug: bool) -> Any:
    setting, text = SETTINGS[name], os.environ.get(PREFIX + name, "")
    if text:
        try:
            return setting.read(text)
        except ValueError as error:
            raise BadSetting(f"{PREFIX}{name}: {error}") from None
    default = setting.development if debug and setting.default is None else setting.default
    if default is None:
        raise BadSetting(f"{PREFIX}{name}: missing (required unless {PREFIX}DEBUG is true)")
    return default
