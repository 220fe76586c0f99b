"""The only reader of the environment."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import environ

ALIASES = ("orchestration", "inventory", "payments", "shipping", "orders", "gateway", "carrier")
"""One database each; an app's label is its alias."""

PREFIX = "SHOP_"
_DEVELOPMENT_KEY = "c2hvcC1kZXZlbG9wbWVudC1vbmx5LWtleS0wMDAwMDA="  # refused unless SHOP_DEBUG is true


class BadSetting(Exception):
    """A setting is missing, unknown or cannot be read; the message names it."""


@dataclass(frozen=True)
class Setting:
    """One environment variable: what it is cast to, its value when absent (None: required outside debug)."""

    cast: Any
    default: Any
    development: Any = None


SETTINGS: Mapping[str, Setting] = {
    "DEBUG": Setting(bool, False),
    "SECRET_KEY": Setting(str, None, development="development-only-" + "0" * 40),
    "SEALING_KEYS": Setting(list, None, development=[_DEVELOPMENT_KEY]),
    "ALLOWED_HOSTS": Setting(list, ["localhost", "127.0.0.1"]),
    "CSRF_TRUSTED_ORIGINS": Setting(list, []),
    "POSTGRES_URL": Setting(str, "postgres://postgres@127.0.0.1:5432"),
    "DATABASE_PREFIX": Setting(str, "shop_"),
    "DATABASE_POOL_SIZE": Setting(int, 8),
    **{f"{alias.upper()}_DATABASE_URL": Setting(str, "") for alias in ALIASES},
    "BROKER_URL": Setting(str, "amqp://guest:guest@127.0.0.1:5672//"),
    "QUEUE_PREFIX": Setting(str, ""),
    "QUEUE_TYPE": Setting(str, "classic"),
    "REDIS_URL": Setting(str, "redis://127.0.0.1:6379/0"),
    "LOG_LEVEL": Setting(str, "INFO"),
    "PAYMENT_GATEWAY": Setting(str, "payments.gateways.sandbox.gateway.SandboxGateway"),
    "CARRIER": Setting(str, "shipping.carriers.sandbox.carrier.SandboxCarrier"),
    "SANDBOX_TIMEOUT_SECONDS": Setting(float, 1.0),
    "BREAKER_FAIL_MAX": Setting(int, 5),
    "BREAKER_RESET_SECONDS": Setting(float, 30.0),
    "RECOVERY_PERIOD_SECONDS": Setting(float, 1.0),
    "PRESUMED_LOST_SECONDS": Setting(float, 10.0),
}
"""Every variable we know, without the prefix."""


def read() -> dict[str, Any]:
    """Read every setting.

    :raises BadSetting: naming the first variable that is unknown, missing or malformed.
    """
    _refuse_unknown()
    reader = environ.Env()
    debug = _value(reader, "DEBUG", debug=False)
    values = {name: _value(reader, name, debug=debug) for name in SETTINGS}
    _refuse_out_of_range(values)
    return values


def database(values: Mapping[str, Any], alias: str) -> dict[str, Any]:
    """Django's database settings of one alias: its own URL, or the server's URL and the prefixed name."""
    url = values[f"{alias.upper()}_DATABASE_URL"]
    if not url:
        url = f"{values['POSTGRES_URL'].rstrip('/')}/{values['DATABASE_PREFIX']}{alias}"
    try:
        parsed: dict[str, Any] = environ.Env.db_url_config(url)
    except Exception as error:
        raise BadSetting(f"{PREFIX}{alias.upper()}_DATABASE_URL or {PREFIX}POSTGRES_URL: {error}") from None
    if "postgresql" not in parsed.get("ENGINE", ""):
        raise BadSetting(f"{PREFIX}POSTGRES_URL: {url.partition(':')[0]!r} is not PostgreSQL (postgres://…)")
    return parsed


def _refuse_unknown() -> None:
    for name in os.environ:
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in SETTINGS:
            near = difflib.get_close_matches(name.removeprefix(PREFIX), SETTINGS, n=1)
            hint = f"; did you mean {PREFIX}{near[0]}?" if near else ""
            raise BadSetting(f"{name}: there is no such setting{hint}")


def _refuse_out_of_range(values: Mapping[str, Any]) -> None:
    if values["QUEUE_TYPE"] not in ("classic", "quorum"):
        raise BadSetting(f"{PREFIX}QUEUE_TYPE: {values['QUEUE_TYPE']!r} is neither 'classic' nor 'quorum'")
    for name, value in values.items():
        if name.endswith(("_SECONDS", "_MAX", "_SIZE")) and value <= 0:
            raise BadSetting(f"{PREFIX}{name}: {value} is not above zero")
    if not values["DEBUG"] and _DEVELOPMENT_KEY in values["SEALING_KEYS"]:
        raise BadSetting(f"{PREFIX}SEALING_KEYS: this is the development key; make your own")


def _value(reader: environ.Env, name: str, *, debug: bool) -> Any:
    setting = SETTINGS[name]
    default = setting.development if debug and setting.default is None else setting.default
    if default is None and not os.environ.get(PREFIX + name):
        raise BadSetting(f"{PREFIX}{name}: missing (required unless {PREFIX}DEBUG is true)")
    try:
        return reader.get_value(PREFIX + name, cast=setting.cast, default=default)
    except Exception as error:
        raise BadSetting(f"{PREFIX}{name}: {error}") from None
