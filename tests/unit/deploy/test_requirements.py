"""Requirement files: what runs in production or in the demonstration is installed by their files alone."""

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy import supervisor

ROOT = supervisor.PROJECT
SHIPPED = ("config", "orchestration", "inventory", "payments", "shipping", "orders")
OPTIONAL = ("requirements-otel.txt",)
"""Packages that `SHOP_TRACES` alone needs: they may be imported, and may be missing."""
LEFT_OUT = {"deploy/peers", "orchestration/testing"}
"""What has an environment of its own, and what only tests import."""


def pinned(*names: str) -> dict[str, Requirement]:
    """The requirements of these files and of those that they include, by name."""
    found: dict[str, Requirement] = {}
    for name in names:
        for line in (ROOT / name).read_text().splitlines():
            text = line.partition("#")[0].strip()
            if text.startswith("-r "):
                found |= pinned(text.removeprefix("-r "))
            elif text:
                requirement = Requirement(text)
                found[canonicalize_name(requirement.name)] = requirement
    return found


def needed_by(requirement: Requirement) -> Iterator[str]:
    """The packages that this one says it needs here, with the extras that were asked for."""
    for text in requires(requirement.name) or ():
        needed = Requirement(text)
        environments = [{"extra": extra} for extra in ("", *requirement.extras)]
        if needed.marker is None or any(needed.marker.evaluate(environment) for environment in environments):
            yield canonicalize_name(needed.name)


def imported(folder: Path) -> set[str]:
    """The top-level modules that the files of a folder import, but for those of Python and of this project."""
    own = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        if not any(str(path.relative_to(ROOT)).startswith(left_out) for left_out in LEFT_OUT):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    found |= {name.name.partition(".")[0] for name in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found.add(node.module.partition(".")[0])
    return found - own - sys.stdlib_module_names


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-demo.txt"])
def test_every_package_that_a_pinned_one_needs_is_pinned(file: str) -> None:
    packages = pinned(file)
    here = {name: each for name, each in packages.items() if each.marker is None or each.marker.evaluate()}
    missing = {name: set(needed_by(each)) - packages.keys() for name, each in here.items()}
    assert {name: lacks for name, lacks in missing.items() if lacks} == {}


@pytest.mark.parametrize(
    ("folders", "files"),
    [(SHIPPED, ("requirements.txt", *OPTIONAL)), (("deploy",), ("requirements-demo.txt",))],
    ids=["shipped", "deploy"],
)
def test_every_package_that_is_imported_is_pinned(folders: tuple[str, ...], files: tuple[str, ...]) -> None:
    packages, distributions = pinned(*files), packages_distributions()
    for module in sorted(set().union(*(imported(ROOT / folder) for folder in folders))):
        names = {canonicalize_name(name) for name in distributions.get(module, [module])}
        assert names & packages.keys(), f"{module} comes from {names}"


def test_the_way_over_redis_is_installed_by_the_requirements_alone() -> None:
    assert "redis" in pinned("requirements.txt")["kombu"].extras
