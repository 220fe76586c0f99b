"""The walls between packages stand, and each is seen to notice an import through it."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINTER = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]

BREACHES = {
    "Rooms of orchestration, higher over lower": ("orchestration/db/sql.py", "import orchestration.engine.store"),
    "Rooms of operators: looking below acting": (
        "orchestration/operators/insight/why.py",
        "import orchestration.operators.actions.rules",
    ),
    "The kit knows no orchestrator": ("orchestration/participant/executor.py", "import orchestration.models"),
    "The process does not import what runs it": ("config/urls.py", "import deploy.up"),
    "Services are independent": ("payments/services.py", "import inventory.models"),
    "Orchestration imports no service and no process": ("orchestration/engine/engine.py", "import orders.models"),
    "Services do not know how the admin looks": ("orders/admin.py", "import unfold.admin"),
    "Services do not import the process": ("shipping/services.py", "import config.env"),
    "Contracts, definitions and decisions are pure": ("orchestration/protocol/transitions.py", "import django.db"),
    "Services see the kit and the contracts, not the engine": (
        "inventory/services.py",
        "import orchestration.engine.engine",
    ),
    "Inside a service: tasks over services over models": ("orders/models.py", "import orders.services"),
}
"""By wall: a file, and what it must not import."""


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project's packages and its linter's settings, to spoil."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in LINTER["root_packages"]:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_every_wall_stands() -> None:
    linted = lint(ROOT)
    assert linted.returncode == 0, linted.stdout


def test_every_wall_is_tried_here() -> None:
    assert {wall["name"] for wall in LINTER["contracts"]} == set(BREACHES)


@pytest.mark.parametrize("wall", BREACHES)
def test_import_through_a_wall_is_noticed(copy: Path, wall: str) -> None:
    file, forbidden = BREACHES[wall]
    with (copy / file).open("a") as module:
        module.write(f"\n{forbidden}\n")
    linted = lint(copy)
    assert linted.returncode == 1
    assert f"{wall} BROKEN" in linted.stdout
