"""The container files: valid, watched, and in step with the code that they run."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import yaml

from config.env import ALIASES, PREFIX, SETTINGS
from config.tls import KINDS
from deploy import supervisor
from deploy.servers import PrivatePostgres
from deploy.servers.postgres import find_bin_dir

ROOT = supervisor.PROJECT
COMPOSE = ROOT / "docker-compose.yml"
DATABASES_SCRIPT = ROOT / "deploy" / "postgres" / "create-databases.sh"

TLS = {f"SHOP_{kind}_TLS_{name}" for kind in KINDS for name in ("CA", "VERIFY", "CERTIFICATE", "KEY")}
NOT_PASSED = {
    **dict.fromkeys(TLS, "the servers are containers of this file, on a network of their own, without TLS"),
    "SHOP_DEBUG": "containers are for orders that are real; it shows tracebacks to everybody",
    "SHOP_FAULT_POINTS": "for tests only; refused unless SHOP_DEBUG is true",
    "SHOP_POSTGRES_URL": "each service's database has an address of its own here",
    "SHOP_DATABASE_PREFIX": "part of those addresses",
    "SHOP_BROKER_URL": "the broker is a container of this file",
    "SHOP_REDIS_URL": "so is Redis",
    "WEB_BIND": "inside its container the web server listens on every address; the published port is loopback's",
}
"""Documented settings that do not reach the containers, and why."""
ADDRESSED = {"SHOP_BROKER_URL", "SHOP_REDIS_URL"}
"""Which the file itself gives."""


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
    return services


@pytest.mark.processes
def test_the_file_follows_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_every_service_has_a_health_check_or_ends_by_itself(services: dict[str, dict[str, Any]]) -> None:
    awaited = {name for service in services.values() for name, how in _awaited(service) if "completed" in how}
    for name, service in services.items():
        if name in awaited:
            assert service["restart"] == "no"
        else:
            assert service["healthcheck"]["test"]


def test_nothing_starts_before_what_it_needs_is_well(services: dict[str, dict[str, Any]]) -> None:
    conditions = {condition for service in services.values() for _, condition in _awaited(service)}
    assert conditions == {"service_healthy", "service_completed_successfully"}
    assert all(name in services for service in services.values() for name, _ in _awaited(service))


def test_every_setting_in_the_files_is_one_that_the_shop_knows() -> None:
    for file in (COMPOSE, ROOT / ".env.example", ROOT / "Dockerfile"):
        named = set(re.findall(rf"\b{PREFIX}([A-Z][A-Z_]*[A-Z])\b(?!>)", file.read_text()))
        assert named <= set(SETTINGS), file.name


def test_the_compose_file_passes_what_the_example_documents_and_nothing_else() -> None:
    passed = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE.read_text())) - {"ROLE"}
    documented = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert documented - passed == set(NOT_PASSED)
    assert passed <= documented


def test_every_process_of_the_shop_gets_all_settings_under_their_own_names(
    services: dict[str, dict[str, Any]],
) -> None:
    shops = {name: service["environment"] for name, service in services.items() if service.get("image") == "shop"}
    assert shops.keys() >= {"web", "beat", "flower", "migrate", *supervisor.ROLES}
    for environment in shops.values():
        assert {PREFIX + name for name in SETTINGS} - environment.keys() == NOT_PASSED.keys() - ADDRESSED - {"WEB_BIND"}
        for name, value in environment.items():
            if name.startswith(PREFIX) and name not in ADDRESSED and not name.endswith("_DATABASE_URL"):
                assert str(value).startswith(f"${{{name}:")


def test_each_worker_consumes_the_queues_of_its_role(services: dict[str, dict[str, Any]]) -> None:
    for role in supervisor.ROLES:
        _, *supervised = supervisor.worker(role, queue_prefix="p.", threads=3).command
        given = services[role]["command"].replace("${SHOP_QUEUE_PREFIX:-}", "p.").replace("${WORKER_THREADS:-8}", "3")
        assert shlex.split(given)[1:] == supervised


def test_the_application_is_published_on_loopback_only(services: dict[str, dict[str, Any]]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.fixture
def initialised() -> Iterator[PrivatePostgres]:
    with PrivatePostgres() as server:
        environment = {
            "PATH": f"{find_bin_dir()}:{os.environ['PATH']}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.port),
            "POSTGRES_USER": "postgres",
            "DATABASE_PASSWORD": "it's",
        }
        subprocess.run([DATABASES_SCRIPT], env=environment, check=True)
        yield server


@pytest.mark.processes
def test_the_database_script_gives_each_service_a_database_that_is_closed_to_the_others(
    initialised: PrivatePostgres,
) -> None:
    for alias in ALIASES:
        with psycopg.connect(_as(alias, initialised), dbname=f"shop_{alias}") as connection:
            connection.execute("CREATE TABLE made (id int)")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(_as("inventory", initialised), dbname="shop_payments")


def test_the_script_of_the_postgres_image_can_be_executed() -> None:
    assert os.access(DATABASES_SCRIPT, os.X_OK)
    assert {path.name for path in DATABASES_SCRIPT.parent.iterdir()} == {DATABASES_SCRIPT.name}


def test_the_image_contains_every_package_of_the_project_and_no_secret() -> None:
    allowed = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages <= allowed
    assert not any(name.startswith(".env") for name in allowed)


def _awaited(service: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, how["condition"]) for name, how in service.get("depends_on", {}).items()]


def _as(role: str, server: PrivatePostgres) -> str:
    return server.url.replace("postgres@", f"{role}@")
