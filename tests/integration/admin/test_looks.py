"""The admin in Unfold's look and in Django's own: every page of it opens in both."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.contrib.staticfiles import finders
from django.test import Client

from config import env
from tests.integration.admin.conftest import SAGAS
from tests.integration.admin.situations import STEPS, Situations
from tests.support.admin_pages import opened
from tests.support.processes import ROOT, environment

TEMPLATES = ROOT / "orchestration" / "templates"

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))


@pytest.fixture
def rows(situations: Situations, admin_client: Client) -> None:
    """Something to look at in the tables of most apps."""
    situations.act(situations.running(), *STEPS)
    Group.objects.create(name="operators")


def test_every_page_opens_in_unfolds_look(rows: None) -> None:
    assert set(opened("admin").values()) == {200}


def test_every_page_opens_in_djangos_own_look(rows: None) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "tests.support.admin_pages", "admin"]
    reported = {**os.environ, **environment(), "SHOP_ADMIN_THEME": "stock"}
    ended = subprocess.run(command, cwd=ROOT, env=reported, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    statuses = json.loads(ended.stdout)
    assert set(statuses.values()) == {200}
    assert statuses.keys() == opened("admin").keys()


def test_the_look_is_as_it_is_set(rows: None, admin_client: Client) -> None:
    page = admin_client.get("/admin/").content.decode()
    assert "unfold/css/styles.css" in page
    assert page.count(f'href="{SAGAS}"') == 1  # in the sidebar: the list of tables is for Django's own look


def test_the_bare_address_leads_to_the_dashboard() -> None:
    response = Client().get("/")
    assert (response.status_code, response["Location"]) == (302, "/admin/")


def test_a_browser_that_asks_for_an_icon_gets_one() -> None:
    asked = Client().get("/favicon.ico")
    assert asked.status_code == 302
    icon = finders.find(asked["Location"].removeprefix(settings.STATIC_URL))
    assert icon
    assert fromstring(Path(icon).read_text()).tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize("address", ["/admin/", "/admin/orders/order/", "/api/v1/docs"])
def test_pages_name_their_icon(address: str, admin_client: Client) -> None:
    page = admin_client.get(address).content.decode()
    assert re.search(r'<link[^>]* href="(/static/orchestration/favicon[^"]*\.svg|/favicon\.ico)"', page)


def test_what_scrolls_sideways_is_reached_by_keyboard_and_named() -> None:
    for template in TEMPLATES.rglob("*.html"):
        for found in re.findall(r'<div class="ops-scroll[^>]*>', template.read_text()):
            assert re.search(r' tabindex="0" role="group" aria-label="[^"]+"', found), template


def test_operators_pages_have_a_main_part(admin_client: Client) -> None:
    assert admin_client.get("/admin/operations/incidents/").content.decode().count("<main") == 1
