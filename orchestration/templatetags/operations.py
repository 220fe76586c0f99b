"""How operators' pages write statuses, names, moments and spans."""

import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django import template
from django.apps import apps
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from orchestration.db import clocks
from orchestration.text import formatting

register = template.Library()

_BETWEEN_WORDS = re.compile(r"(?<=_)|(?<=[a-z])(?=[A-Z])")
_BREAK = mark_safe("<wbr>")


@register.simple_tag
def is_unfold() -> bool:
    """Whether the frame is Unfold's, which has a sidebar and htmx of its own."""
    return apps.is_installed("unfold")


@register.simple_tag
def tiles() -> list[tuple[str, Any]]:
    """The dashboard's tiles, by name."""
    from orchestration.admin.dashboard import TILES  # the admin's classes render templates when they are made

    return list(TILES.items())


@register.filter
def chip(word: str) -> SafeString:
    """A status as its word on its colour."""
    return format_html('<span class="ops-chip ops-is-{}">{}</span>', word, str(word).replace("_", " "))


@register.filter
def breakable(name: str) -> SafeString:
    """A name such as authorise_payment or GatewayTimeout, that a narrow column breaks between its words."""
    return format_html_join(_BREAK, "{}", ((word,) for word in _BETWEEN_WORDS.split(str(name))))


@register.filter
def moment(at: datetime | None) -> str:
    """A time in UTC, to the millisecond."""
    return formatting.moment(at)


@register.filter
def ago(at: datetime | None) -> str:
    """How long ago it was."""
    return formatting.span(clocks.now() - at) if at else formatting.NOTHING


@register.filter
def span(length: timedelta | float | None) -> str:
    """A length of time, of a number of seconds below ten with its milliseconds."""
    if length is None:
        return formatting.NOTHING
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 10 else formatting.span(timedelta(seconds=seconds))


@register.filter
def percent(share: float | None) -> str:
    """A share from 0 to 1."""
    return formatting.NOTHING if share is None else f"{share:.1%}"


@register.filter
def spaced(word: Any) -> str:
    """A name as words."""
    return str(word).replace("_", " ")


@register.filter
def query(parameters: Any) -> str:
    """Names and values as the end of an address."""
    return urlencode(parameters, doseq=True)
