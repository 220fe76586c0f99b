"""docs/protocol.md names code, tests and mutants that exist, for each of the eleven rules."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "protocol.md").read_text()
MUTANTS = {each["breaks"]: each for each in tomllib.loads((ROOT / "tests/mutants/mutants.toml").read_text())["mutant"]}
RULES = dict(re.findall(r"^## (\d+)\. [^\n]+\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
"""The text of each rule, by its number."""


def references(text: str, kind: str) -> list[str]:
    """Return the `path::name` references of a rule's lines of this kind, such as "Code"."""
    items = re.findall(rf"^- {kind}:(.*?)(?=^- |\Z)", text, re.MULTILINE | re.DOTALL)
    return [name for item in items for name in re.findall(r"`([^`]+)`", item)]


def mutants(text: str) -> list[str]:
    """Return the mutants of a rule by what they break."""
    items = re.findall(r"^- Mutant:(.*?)(?=^- |\Z)", text, re.MULTILINE | re.DOTALL)
    return [" ".join(item.split()) for item in items]


def names_in(path: str) -> Iterator[str]:
    """Yield the functions, classes and methods of a module, methods as `Class.method`."""
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{each.name}" for each in node.body if isinstance(each, ast.FunctionDef))


def exists(reference: str) -> bool:
    """Return whether the module of a `path::name` reference defines the name."""
    path, _, name = reference.partition("::")
    return (ROOT / path).is_file() and name in names_in(path)


def test_all_eleven_rules_are_there() -> None:
    assert list(RULES) == [str(number) for number in range(1, 12)]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_names_code_tests_and_mutants_that_exist(rule: str) -> None:
    code, tests = references(RULES[rule], "Code"), references(RULES[rule], "Test")
    assert code
    assert tests
    assert [each for each in code + tests if not exists(each)] == []
    assert mutants(RULES[rule])
    assert [each for each in mutants(RULES[rule]) if each not in MUTANTS] == []


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_s_mutants_are_caught_by_its_tests(rule: str) -> None:
    tests = set(references(RULES[rule], "Test"))
    assert {MUTANTS[each]["caught_by"].partition("[")[0] for each in mutants(RULES[rule])} <= tests


def test_each_fault_says_where_it_is_decided() -> None:
    rows = [row for row in TEXT.splitlines() if row.startswith("| ") and "| fault |" not in row]
    modules = [re.findall(r"`(orchestration/[\w/]+\.py)`", row.split("|")[3]) for row in rows]
    assert len(rows) > 10
    assert all(modules)
    assert [each for found in modules for each in found if not (ROOT / each).is_file()] == []


def test_a_name_that_is_gone_is_noticed() -> None:
    assert exists("orchestration/engine/engine.py::Engine.start_saga")
    assert not exists("orchestration/engine/engine.py::Engine.start")
    assert not exists("orchestration/engine/gone.py::Engine")
