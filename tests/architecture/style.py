"""Rules of style that a machine checks: sizes, docstrings, names and words. `python -m tests.architecture.style DIR`.

Each rule yields complaints about one module. `test_style.py` applies them to the whole project.
"""

import ast
import re
import sys
import tokenize
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VERBS = frozenset((Path(__file__).parent / "verbs.txt").read_text().split())
"""The verbs that a public docstring may begin with, in the imperative. Add one where none of these says it."""
LONGEST_FILE, LONGEST_FUNCTION = 300, 50  # lines

PRIVATE_NAMES = re.compile(
    r"(?<!dead_)(?<!discard_)letters?(?!_again)|desks?|lanes?|errands?|seats?|trails?|owed|owing|told|happenings?|boundar(?:y|ies)"
    r"|seal(?:ed|ing|s)?(?!_broken)|unseal|hopeless|sieves?|voices?|standings?|gone_on|by_hand|asking|lending"
)
"""Parts of identifiers that the glossary replaces. docs/glossary.md has the standard term for each."""
PRIVATE_WORDS = re.compile(
    r"(?<!dead )(?<!dead-)\bletters?\b(?! or)|\bdesks?\b|\blanes?\b|\berrands?\b|\bseats?\b|\btrails?\b|\bowed\b"
    r"|\bhopeless\b|\bsieves?\b|\bnobody\b|\bwhoever\b|\bwho asks\b|\bwhat (?:be)?c[ao]me(?:s)? of\b|\bcomes? of\b"
    r"|\bsealed\b",
    re.IGNORECASE,
)
"""Private words and riddles that no docstring and no comment may use."""
GERUNDS = frozenset(
    {
        "shipping",
        "pricing",
        "worker_ping",
        "row_mapping",
        "batch_pacing",
        "polling",
        "optimistic_locking",
        "batching",
        "coalescing",
        "messaging",
        "routing",
        "testing",
        "tracing",
        "formatting",
        "cleaning",
    }
)
"""Names of modules and packages that end in -ing and are the field's terms."""


def complaints(path: Path) -> Iterator[str]:
    """Yield what is wrong with one module."""
    text = path.read_text()
    tree = ast.parse(text)
    yield from too_long(tree, text)
    yield from docstrings_without_a_verb(tree)
    yield from private_names(tree)
    yield from private_words(text)
    yield from gerund(path)


def too_long(tree: ast.Module, text: str) -> Iterator[str]:
    """Complain about a file or a function that is longer than the limit."""
    if (lines := text.count("\n")) > LONGEST_FILE:
        yield f"has {lines} lines, more than {LONGEST_FILE}"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                yield f"line {node.lineno}: {node.name} has {lines} lines, more than {LONGEST_FUNCTION}"


def docstrings_without_a_verb(tree: ast.Module) -> Iterator[str]:
    """Complain about the docstring of a public function that does not begin with a verb in the imperative."""
    for function in public_functions(tree):
        docstring = ast.get_docstring(function) or ""
        if docstring and docstring.split()[0].rstrip(".,:;") not in VERBS:
            yield f"line {function.lineno}: {function.name}: begins with no verb: {docstring.splitlines()[0]}"


def public_functions(scope: ast.Module | ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the public functions of a module and the public methods of its public classes, without properties."""
    for node in scope.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            decorators = {ast.unparse(each).rpartition(".")[2] for each in node.decorator_list}
            if decorators.isdisjoint({"property", "cached_property"}):
                yield node


def private_names(tree: ast.Module) -> Iterator[str]:
    """Complain about an identifier with a private word in it: the definition of a class, function, argument or name."""
    for node in ast.walk(tree):
        for name in _defined(node):
            words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
            if re.search(rf"(?:^|_)(?:{PRIVATE_NAMES.pattern})(?:_|$)", words):
                yield f"line {getattr(node, 'lineno', 1)}: {name}: a private word"


def _defined(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name
        case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
            yield name
        case ast.alias(asname=str(name)):
            yield name


def private_words(text: str) -> Iterator[str]:
    """Complain about a private word or a riddle in a comment or a docstring."""
    docstrings = {
        (node.value.lineno, node.value.col_offset)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }
    for token in tokenize.generate_tokens(StringIO(text).readline):
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and token.start in docstrings):
            for found in PRIVATE_WORDS.finditer(token.string):
                yield f"line {token.start[0]}: says {found[0]!r}"


def gerund(path: Path) -> Iterator[str]:
    """Complain about a module whose name is a gerund and not a term of the field."""
    if path.stem.endswith("ing") and path.stem not in GERUNDS:
        yield "its name is a gerund"


def modules(*folders: str) -> Iterator[Path]:
    """Yield the modules under the folders, without migrations."""
    for folder in folders:
        place = ROOT / folder
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


if __name__ == "__main__":
    for module in modules(*sys.argv[1:]):
        for complaint in complaints(module):
            print(f"{module.relative_to(ROOT)}: {complaint}")
