"""Flower as the shop runs it, a real process: behind a login, unable to change anything, linked with the sagas."""

import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import pytest
from flower import urls

from deploy.flower import pages
from deploy.servers.ports import free_port
from deploy.supervisor import FLOWER_CONFIG, PROJECT
from tests.support.processes import environment
from tests.support.wait import wait_for

LOGIN = "operator:s3cret"
SHOP_AT = "https://shop.example"


@dataclass(frozen=True)
class Flower:
    """A Flower process, and a browser that has its login."""

    port: int

    def ask(self, path: str, *, login: str = LOGIN, method: str = "GET") -> tuple[int, str]:
        headers = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"} if login else {}
        body = b"" if method == "POST" else None
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    def is_up(self) -> bool:
        try:
            return self.ask("/healthcheck", login="") == (200, "OK")
        except OSError:
            return False


def run(port: int, **env: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "celery", "-A", "config", "flower", f"--conf={FLOWER_CONFIG}"],
        cwd=PROJECT,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("FLOWER_")},
            **environment(),
            **{"FLOWER_ADDRESS": "127.0.0.1", "FLOWER_PORT": str(port), "SHOP_PUBLIC_URL": SHOP_AT, **env},
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


@pytest.fixture(scope="module")
def flower(workforce) -> Iterator[Flower]:
    flower = Flower(free_port())
    process = run(flower.port, FLOWER_BASIC_AUTH=LOGIN)
    try:
        wait_for(flower.is_up, seconds=60, what="Flower")
        yield flower
    finally:
        process.terminate()
        process.communicate(timeout=20)


WRITES = [rule[0] for rule in urls.handlers if isinstance(rule, tuple) and "post" in vars(rule[1])]
WRITES.remove(".*")  # the page of what is not there


def test_every_page_wants_the_login_but_the_health_check(flower: Flower):
    for path in ("/", "/workers", "/tasks", "/broker", "/task/1", "/metrics", "/api/workers", "/api/tasks", SAGA_PATH):
        assert flower.ask(path, login="")[0] == 401, path
        assert flower.ask(path, login="operator:guessed")[0] == 401, path
    assert flower.ask("/metrics")[0] == 200


SAGA_PATH = "/saga/01932f3a-7c1e-7000-8000-00000000002a"


@pytest.mark.parametrize("pattern", WRITES)
def test_whatever_changes_something_is_refused(flower: Flower, pattern: str):
    path = pattern.replace("(.+)", "worker1")
    status, said = flower.ask(path, method="POST")
    assert (status, said) == (403, "Read only mode is enabled"), path


def test_there_is_something_to_refuse():
    assert len(WRITES) == 14


def test_a_saga_leads_to_its_tasks_and_each_of_them_back(flower: Flower, shop, start_worker):
    start_worker()

    def seen() -> UUID | None:
        saga_id: UUID = shop.place()
        shop.ended(saga_id)
        return saga_id if tasks_on(flower, f"/saga/{saga_id}") else None

    saga_id = wait_for(seen, seconds=40, what="a saga's tasks in Flower, which has events sent to it by itself")
    assert saga_id
    found = tasks_on(flower, f"/saga/{saga_id}")
    assert f'href="{SHOP_AT}/admin/orchestration/sagainstance/{saga_id}/change/"' in flower.ask(f"/saga/{saga_id}")[1]
    _, page = flower.ask(f"/task/{found[0]}")
    assert f'href="{SHOP_AT}/admin/orchestration/sagainstance/{saga_id}/change/">{saga_id}</a>' in page
    assert f'href="/saga/{saga_id}"' in page
    assert "tok_ok" not in page
    assert "Revoke" not in page


def test_a_saga_nobody_reported_has_a_page_that_says_so(flower: Flower):
    status, page = flower.ask(SAGA_PATH)
    assert status == 200
    assert "None that Flower has seen" in page
    assert flower.ask(f"/saga/{'-' * 36}")[0] == 404


def test_without_a_login_flower_does_not_start(workforce):
    process = run(free_port())
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"FLOWER_BASIC_AUTH is missing" in said


def test_a_task_that_is_no_sagas_leads_to_none():
    assert pages.saga_of("{'route': 'r'}") is None
    assert pages.saga_of(None) is None


def tasks_on(flower: Flower, path: str) -> list[str]:
    return re.findall(r'href="/task/([0-9a-f-]{36})"', flower.ask(path)[1])
