"""Which server is used: the order of the ways, and what is remembered between calls."""

import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.servers import __main__, ways
from deploy.servers.private import NotInstalled, PrivateServer
from deploy.servers.services import POSTGRES, RABBITMQ, REDIS, SERVICES
from deploy.servers.started import Register

NOBODY_LISTENS = replace(REDIS, standard_urls=("redis://127.0.0.1:1/0",))


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Register]:
    register = Register(tmp_path)
    yield register
    register.end_all()


def test_what_the_environment_names_is_used_before_anything_else() -> None:
    anything = replace(REDIS, accepts=lambda _url: True)
    way = ways.configured({"SHOP_REDIS_URL": "redis://elsewhere:1/0"})
    assert ways.first(anything, (way, ways.listening)) == "redis://elsewhere:1/0"


def test_a_configured_server_that_does_not_answer_is_named_without_its_password() -> None:
    way = ways.configured({"SHOP_BROKER_URL": "amqp://shop:hush@127.0.0.1:1//"})
    with pytest.raises(ways.Unavailable, match=r"SHOP_BROKER_URL names amqp://shop:\*\*\*@127") as raised:
        way(RABBITMQ)
    assert "hush" not in str(raised.value)


def test_what_listens_is_used_only_if_it_lets_us_in() -> None:
    refusing = replace(POSTGRES, accepts=lambda _url: False)
    welcoming = replace(POSTGRES, accepts=lambda _url: True)
    assert ways.listening(refusing) is None
    assert ways.listening(welcoming) == "postgres://postgres@127.0.0.1:5432"


@pytest.mark.processes
def test_an_installed_program_is_started_and_remembered(register: Register) -> None:
    url = ways.first(NOBODY_LISTENS, (ways.listening, ways.installed(register)))
    assert NOBODY_LISTENS.accepts(url)
    assert register.read()["Redis"].url == url


@pytest.mark.processes
def test_what_is_not_installed_leads_on_to_docker(
    register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = _fake_program(tmp_path / "docker", prints="c0ffee", monkeypatch=monkeypatch)
    service = replace(NOBODY_LISTENS, private=_not_installed, accepts=lambda url: ":1/" not in url)
    url = ways.first(
        service, (ways.listening, ways.installed(register), ways.in_docker(register), ways.from_apt(register))
    )
    port = url.removeprefix("redis://127.0.0.1:").removesuffix("/0")
    register.end("Redis")
    assert [shlex.split(line)[:2] for line in calls.read_text().splitlines()] == [
        ["info"],
        ["run", "--detach"],
        ["rm", "--force"],
    ]
    assert f"--publish=127.0.0.1:{port}:6379 redis:7" in calls.read_text()
    assert calls.read_text().endswith("rm --force c0ffee\n")


@pytest.mark.processes
def test_root_on_debian_has_it_installed_and_started(
    register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = _fake_program(tmp_path / "apt-get", prints="", monkeypatch=monkeypatch)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    url = ways.first(NOBODY_LISTENS, (ways.from_apt(register),))
    assert NOBODY_LISTENS.accepts(url)
    assert calls.read_text().splitlines()[-1].endswith("install --yes --no-install-recommends redis-server")


def test_without_any_way_the_message_says_what_to_do() -> None:
    with pytest.raises(ways.Unavailable, match="no RabbitMQ: set SHOP_BROKER_URL"):
        ways.first(RABBITMQ, ())


@pytest.mark.processes
def test_the_command_prints_exports_reuses_what_it_started_and_ends_only_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configured = [replace(service, accepts=lambda _url: True) for service in SERVICES if service is not REDIS]
    monkeypatch.setattr(__main__, "SERVICES", (*configured, NOBODY_LISTENS))
    for service in SERVICES:
        monkeypatch.delenv(service.variable, raising=False)
    assert __main__.main(["env", "--run-dir", str(tmp_path)]) == 0
    first = capsys.readouterr().out
    assert __main__.main(["env", "--run-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out == first
    assert _after_shell(first, "SHOP_POSTGRES_URL") == "postgres://postgres@127.0.0.1:5432"
    redis_url = _after_shell(first, "SHOP_REDIS_URL")
    assert REDIS.accepts(redis_url)
    assert __main__.main(["stop", "--run-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().err.endswith("servers: Redis stopped\n")
    assert not REDIS.accepts(redis_url)


@pytest.mark.processes
def test_a_remembered_server_that_died_is_replaced(register: Register) -> None:
    start = ways.installed(register)
    dead_url = start(NOBODY_LISTENS)
    register.read()["Redis"].processes[0].send(9)
    assert __main__.address(NOBODY_LISTENS, register) != dead_url


@pytest.mark.processes
def test_a_private_server_is_started_on_request_though_another_listens(
    register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP_REDIS_URL", raising=False)
    listening = ways.installed(register)(NOBODY_LISTENS)
    assert listening
    service, other = replace(REDIS, standard_urls=(listening,)), Register(tmp_path / "other")
    other.run_directory.mkdir()
    try:
        assert __main__.address(service, other) == listening
        started = __main__.address(service, other, private=True)
        assert started != listening
        assert __main__.address(service, other, private=True) == started
    finally:
        other.end_all()


def _after_shell(exports: str, variable: str) -> str:
    script = f'{exports}\nprintf %s "${variable}"'
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout


def _not_installed(_directory: Path) -> PrivateServer:
    raise NotInstalled


def _fake_program(path: Path, *, prints: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    calls = path.with_suffix(".calls")
    path.write_text(f'#!/bin/sh\necho "$@" >> {calls}\necho {prints}\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")
    return calls
