"""Checks of the settings: consistent, and fit for a real shop rather than for development."""

from collections.abc import Iterator

from django.conf import settings
from django.core import checks

from config.doctor.lines import Line, fail, ok, warn


def look() -> Iterator[Line]:
    """Check the settings. Yield one line for each problem, or one line if there is none."""
    found = [*_errors(), *_of_a_developer()]
    yield from found or [ok("settings", "consistent")]


def _errors() -> Iterator[Line]:
    for message in checks.run_checks():
        say = fail if message.level >= checks.ERROR else warn
        yield say("settings", f"{message.id}: {message.msg}", message.hint or "see manage.py check")


def _of_a_developer() -> Iterator[Line]:
    if settings.DEBUG:
        yield warn("settings", "SHOP_DEBUG is true: development keys, and errors are shown to every client", "unset it")
    if settings.FAULT_POINTS:
        yield fail("settings", "SHOP_FAULT_POINTS is true: tests may kill this process", "unset it")
    if not settings.BROKER_HAS_CONFIRMS:
        yield warn(
            "settings",
            "SHOP_BROKER_URL is not RabbitMQ: messages are not confirmed, and there are no dead letters",
            "use RabbitMQ for real orders",
        )
    for name, chosen in (("SHOP_PAYMENT_GATEWAY", settings.PAYMENT_GATEWAY), ("SHOP_CARRIER", settings.CARRIER)):
        if ".sandbox." in f"{chosen}":
            yield warn("settings", f"{name} is the sandbox: nothing real is paid or sent", "configure the real one")
