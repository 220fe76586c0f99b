"""What every module of the project keeps to: a docstring, named databases, one reader of the environment."""

import ast
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.architecture.style import ROOT, modules

PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]

FORBIDDEN = {
    "delay_on_commit": "fires on the default alias, before the commit",
    "task_always_eager": "proves nothing",
    "CELERY_TASK_ALWAYS_EAGER": "proves nothing",
}

Complaints = Iterator[str]
Rule = Callable[[ast.Module], Complaints]


def modules_of(*folders: str) -> dict[str, Path]:
    """Return every module with text in it, by its path from the root."""
    return {str(path.relative_to(ROOT)): path for path in modules(*folders) if path.stat().st_size}


SHIPPED = modules_of(*PACKAGES, "deploy/bench", "deploy/replay", "deploy/management")
ALL = SHIPPED | modules_of("deploy", "tests")


def missing_docstring(module: ast.Module) -> Complaints:
    if not ast.get_docstring(module):
        yield "opens without a sentence that says what lives in it"


def unnamed_databases(module: ast.Module) -> Complaints:
    for call in (node for node in ast.walk(module) if isinstance(node, ast.Call)):
        function = ast.unparse(call.func).rpartition(".")[2]
        if function in ("atomic", "on_commit") and "using" not in {word.arg for word in call.keywords}:
            yield f"line {call.lineno}: {function} names no alias"


def forbidden_names(module: ast.Module) -> Complaints:
    for node in ast.walk(module):
        named = {getattr(node, part, None) for part in ("id", "attr", "arg")}
        for name in FORBIDDEN.keys() & named:
            yield f"{name}: {FORBIDDEN[name]}"


def environment_reads(module: ast.Module) -> Complaints:
    """Whatever is done with the environment but naming Django's settings module."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "os.environ.setdefault":
            node.func = ast.Name("named")
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
            yield f"line {node.lineno}: reads the environment; only config/env.py does"


def environments_of_their_own(module: ast.Module) -> Complaints:
    """A process that is given an environment built from nothing reads the developer's `.env`."""
    for call in (node for node in ast.walk(module) if isinstance(node, ast.Call)):
        for word in call.keywords if ast.unparse(call.func).startswith("subprocess.") else ():
            if word.arg == "env" and isinstance(word.value, ast.Dict) and None not in word.value.keys:
                yield f"line {call.lineno}: env= is built from nothing; begin with deploy.isolation.isolated"


def unisolated(module: ast.Module) -> Complaints:
    imported = {name.name for node in ast.walk(module) if isinstance(node, ast.Import) for name in node.names}
    if "tests.environment" not in imported:
        yield "does not import tests.environment: it sees the developer's own settings"


def complaints(rule: Rule, modules: dict[str, Path]) -> list[str]:
    return [f"{name}: {complaint}" for name, path in modules.items() for complaint in rule(ast.parse(path.read_text()))]


def test_every_module_says_what_lives_in_it() -> None:
    assert complaints(missing_docstring, ALL) == []


def test_every_transaction_names_its_database() -> None:
    assert complaints(unnamed_databases, SHIPPED) == []


def test_nothing_fires_before_the_commit_or_only_seems_to_run() -> None:
    assert complaints(forbidden_names, ALL) == []


def test_the_environment_has_one_reader() -> None:
    others = {name: path for name, path in SHIPPED.items() if name != "config/env.py"}
    assert complaints(environment_reads, others) == []


def test_no_test_reads_the_settings_of_the_developer() -> None:
    assert complaints(environments_of_their_own, modules_of("deploy", "tests")) == []
    programs = {name: path for name, path in modules_of("tests").items() if path.name == "__main__.py"}
    assert programs
    assert complaints(unisolated, programs) == []


@pytest.mark.parametrize(
    ("rule", "offender"),
    [
        (missing_docstring, "import os"),
        (unnamed_databases, "with transaction.atomic(): pass"),
        (unnamed_databases, "transaction.on_commit(send)"),
        (forbidden_names, "task.delay_on_commit()"),
        (forbidden_names, "app.conf.update(task_always_eager=True)"),
        (environment_reads, "os.environ['SHOP_DEBUG']"),
        (environment_reads, "os.environ.get('SHOP_DEBUG')"),
        (environment_reads, "os.getenv('SHOP_DEBUG')"),
        (environments_of_their_own, "subprocess.run(command, env={'PATH': '/bin'})"),
        (unisolated, "import django"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_offender_is_noticed(rule: Rule, offender: str) -> None:
    assert list(rule(ast.parse(offender)))


@pytest.mark.parametrize(
    ("rule", "innocent"),
    [
        (unnamed_databases, "with transaction.atomic(using='orders'): pass"),
        (environment_reads, "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'config.settings')"),
        (environments_of_their_own, "subprocess.run(command, env={**os.environ, 'DEBUG': '1'})"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_innocent_is_left_alone(rule: Rule, innocent: str) -> None:
    assert not list(rule(ast.parse(innocent)))
