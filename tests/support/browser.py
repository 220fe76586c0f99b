"""A browser for tests: Debian's Chromium, driven by Playwright, which downloads nothing."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from playwright.sync_api import Browser, FloatRect, Page, sync_playwright

from deploy.packages import CHROMIUM

WIDE, HIGH = 1280, 800
"""The smallest screen, in pixels, for which operators' pages are made."""
PHONE = 390
"""The width of a phone in pixels."""
HIGHEST = 1100
"""The largest height of a screenshot in pixels: a taller one is too large for a document."""
SHOTS = os.environ.get("SCREENSHOTS", "")
"""The folder for screenshots. Without it, none are taken."""


@contextmanager
def browser() -> Iterator[Browser]:
    """Run Chromium without a window. :raises deploy.packages.Missing: when it is not installed."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM.path(), args=["--no-sandbox"])
        yield chromium
        chromium.close()


def log_in(page: Page, live_server: Any, name: str = "ada") -> None:
    """Log in as a user with every permission and wait for the dashboard."""
    User.objects.create_superuser(name, password="correct horse")
    page.goto(f"{live_server.url}/admin/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{live_server.url}/admin/")


def violations(page: Page, *rules: str) -> list[str]:
    """Return the accessibility problems that axe finds on the page, by these rules or all: one line for each
    element.
    """
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text())
    found = page.evaluate("rules => axe.run(document, rules.length ? {runOnly: rules} : {})", rules)
    return [
        f"{rule['id']}: {rule['help']}: {node['html'][:160]}" for rule in found["violations"] for node in rule["nodes"]
    ]


def shoot(page: Page, name: str) -> None:
    """Save the top of the page as a screenshot with this name. Do nothing unless SCREENSHOTS is set.

    A screenshot looks like a real shop: it shows no name of a test's queue, worker or database.
    """
    if SHOTS:
        assert not re.findall(r"\b(?:test|run)\d+\S*", page.inner_text("body"))
        wide, high = page.evaluate("[innerWidth, Math.max(innerHeight, document.documentElement.scrollHeight)]")
        top = FloatRect(x=0, y=0, width=wide, height=min(high, HIGHEST))
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True, clip=top)
