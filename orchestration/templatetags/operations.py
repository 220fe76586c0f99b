"""Filters and tags with which operators' pages format statuses, names, times and durations."""

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
    """Return whether Unfold renders the frame: it brings a sidebar and htmx."""
    return apps.is_installed("unfold")


@register.simple_tag
def tiles() -> list[tuple[str, Any]]:
    """Return the dashboard's tiles as (name, tile) pairs."""
    from orchestration.admin.dashboard import TILES  # the admin's classes render templates when they are made

    return list(TILES.items())


@register.filter
def chip(word: str) -> SafeString:
    """Render a status as a word on the background colour of that status."""
    return format_html('<span class="ops-chip ops-is-{}">{}</span>', word, str(word).replace("_", " "))


@register.filter
def breakable(name: str) -> SafeString:
    """Render a name such as authorise_payment or GatewayTimeout so that a narrow column breaks it between words."""
    return format_html_join(_BREAK, "{}", ((word,) for word in _BETWEEN_WORDS.split(str(name))))


@register.filter
def moment(at: datetime | None) -> str:
    """Format a time in UTC, to the millisecond."""
    return formatting.moment(at)


@register.filter
def ago(at: datetime | None) -> str:
    """Format how long ago the time was."""
    return formatting.span(clocks.now() - at) if at else formatting.NOTHING


@register.filter
def span(length: timedelta | float | None) -> str:
    """Format a duration (seconds, if a number): below 1 s in milliseconds, below 10 s with one decimal."""
    if length is None:
        return formatting.NOTHING
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 10 else formatting.span(timedelta(seconds=seconds))


@register.filter
def percent(share: float | None) -> str:
    """Format a share from 0 to 1 as a percentage."""
    return formatting.NOTHING if share is None else f"{share:.1%}"


@register.filter
def spaced(word: Any) -> str:
    """Write a name with spaces instead of underscores."""
    return str(word).replace("_", " ")


@register.filter
def query(parameters: Any) -> str:
    """Encode names and values as the query of a URL."""
    return urlencode(parameters, doseq=True)
