"""The rules of style hold for the whole project, and each notices an offender."""

import ast
from collections import Counter
from pathlib import Path

import grimp
import pytest

from tests.architecture import style
from tests.architecture.style import ROOT

SHIPPED = ("config", "deploy", "orchestration", "inventory", "payments", "shipping", "orders")


@pytest.mark.parametrize("folder", SHIPPED)
def test_no_module_breaks_a_rule(folder: str) -> None:
    found = [f"{path.relative_to(ROOT)}: {each}" for path in style.modules(folder) for each in style.complaints(path)]
    assert found == []


def test_a_public_class_has_a_name_of_its_own_within_orchestration() -> None:
    names = Counter(
        node.name
        for path in style.modules("orchestration")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and node.name != "Command"  # of manage.py
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph(*(each for each in SHIPPED if each != "deploy"), exclude_type_checking_imports=True)
    imports = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    assert _left_in_circles(imports) == set()


def _left_in_circles(imports: dict[str, set[str]]) -> set[str]:
    """Return the modules that remain when those without imports are removed again and again."""
    left = {module: set(imported) for module, imported in imports.items()}
    while free := {module for module, imported in left.items() if not imported & left.keys()}:
        left = {module: imported for module, imported in left.items() if module not in free}
    return set(left)


def test_a_circle_is_noticed() -> None:
    assert _left_in_circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == {"a", "b", "c"}


@pytest.mark.parametrize(
    "offender",
    [
        "def f():\n    '''What it does.'''",
        "class C:\n    def f(self):\n        '''The sum.'''",
        "def f():\n" + "    pass\n" * 50,
        "pass\n" * 301,
        "class Errand: pass",
        "def take(*, letters): pass",
        "told = 1",
        "import x as lane",
        "# nobody knows",
        "'''Whoever comes first.'''",
        "x = 1\n'''Messages that are owed.'''",
    ],
)
def test_an_offender_is_noticed(tmp_path: Path, offender: str) -> None:
    module = tmp_path / "module.py"
    module.write_text(offender + "\n")
    assert list(style.complaints(module))


def test_a_gerund_is_noticed(tmp_path: Path) -> None:
    module = tmp_path / "asking.py"
    module.write_text("")
    assert list(style.complaints(module))


@pytest.mark.parametrize(
    "innocent",
    [
        "def f():\n    '''Return the sum.'''",
        "class C:\n    @property\n    def f(self):\n        '''The sum.'''",
        "def _f():\n    '''What it does.'''",
        "dead_letters = 1  # the dead letters of a queue",
        "text = 'nobody'",
    ],
)
def test_an_innocent_is_left_alone(tmp_path: Path, innocent: str) -> None:
    module = tmp_path / "module.py"
    module.write_text(innocent + "\n")
    assert list(style.complaints(module)) == []
