"""Documents are short, complete and linked, and the hooks are those of `make lint`."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from orchestration.operators.audit.findings import invariants

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
DECISIONS = ROOT / "docs" / "decisions.md"
LONGEST_LINE = 120
LONGEST_DECISION = 10
ENVIRONMENT = "env SHOP_DEBUG=true SHOP_ENV_FILE=/dev/null "
"""What `make lint` exports for all of its commands."""

Complaints = Iterator[str]
Rule = Callable[[str], Complaints]


def prose_of(text: str) -> Iterator[tuple[int, str]]:
    """Give each line outside code blocks, with its number."""
    in_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code:
            yield number, line


def long_lines(text: str) -> Complaints:
    """Name lines of prose above 120 characters; a row of a table cannot be wrapped."""
    for number, line in prose_of(text):
        if len(line) > LONGEST_LINE and not line.startswith("|"):
            yield f"line {number}: {len(line)} characters"


def lines_too_wide(text: str) -> Complaints:
    """Name all lines above 120 characters, also those of tables and code."""
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > LONGEST_LINE:
            yield f"line {number}: {len(line)} characters"


def long_decisions(text: str) -> Complaints:
    """Name decisions with more than ten lines below their heading, blank lines not counted."""
    for decision in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, *body = decision.splitlines()
        lines = [line for line in body if line.strip()]
        if len(lines) > LONGEST_DECISION:
            yield f"{title}: {len(lines)} lines"


def anchors_of(text: str) -> set[str]:
    """Give the anchors that GitHub makes of the headings: lower case, no punctuation, hyphens for spaces."""
    seen: Counter[str] = Counter()
    found: set[str] = set()
    for _, line in prose_of(text):
        if heading := re.match(r"#{1,6} (.*)", line):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1])
            anchor = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
            found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
            seen[anchor] += 1
    return found


def broken_links(text: str, document: Path) -> Complaints:
    """Name relative links to files or headings that do not exist; addresses of other sites are not requested."""
    for number, line in prose_of(text):
        for target in re.findall(r"\]\(<?([^)>\s]+)>?\)", re.sub(r"`[^`]*`", "", line)):
            if re.match(r"[a-z][a-z+.-]*:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (document.parent / unquote(path)).resolve() if path else document
            if path and not file.exists():
                yield f"line {number}: {target} leads to no file"
            elif anchor and anchor not in anchors_of(text if not path else file.read_text()):
                yield f"line {number}: {target} leads to no heading"


def missing_files(text: str) -> Complaints:
    """Name Python files in backticks that exist neither in the repository nor, as in the glossary, in orchestration."""
    for number, line in prose_of(text):
        for path in re.findall(r"`([\w.-]+/[\w./-]+\.py)\b[^`]*`", line):
            if not any((folder / path).is_file() for folder in (ROOT, ROOT / "orchestration")):
                yield f"line {number}: there is no {path}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_names_files_that_exist(document: Path) -> None:
    assert list(missing_files(document.read_text())) == []


def test_a_file_that_does_not_exist_is_noticed() -> None:
    text = "`tests/missing.py` `tests/missing.py::test` `engine/store.py` `manage.py saga`\n```\n`tests/code.py`\n```"
    assert list(missing_files(text)) == ["line 1: there is no tests/missing.py"] * 2


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_has_short_lines(document: Path) -> None:
    assert list(long_lines(document.read_text())) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_has_links_that_lead_somewhere(document: Path) -> None:
    assert list(broken_links(document.read_text(), document)) == []


def test_the_readme_leads_to_every_document() -> None:
    readme = (ROOT / "README.md").read_text()
    targets = {(ROOT / target).resolve() for target in re.findall(r"\]\(([^)#:]+)\)", readme)}
    assert {*DOCUMENTS, ROOT / "LICENSE"} - {ROOT / "README.md"} <= targets


def test_operations_explain_every_invariant_of_the_audit() -> None:
    explained = re.findall(r"^\| ([A-Z]\d) \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    assert explained == list(invariants())


def test_a_decision_has_at_most_ten_short_lines() -> None:
    text = DECISIONS.read_text()
    assert [*lines_too_wide(text), *long_decisions(text)] == []


def test_hooks_run_what_make_lint_runs() -> None:
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local", "hooks of other repositories are downloaded"
    hooks = [hook["entry"].removeprefix(ENVIRONMENT) for hook in repository["hooks"]]
    [recipe] = re.findall(r"^lint: \$\(VENV\)/\.dev\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    commands = recipe.replace("$(PY)", ".venv/bin/python").replace("$(BIN)", ".venv/bin")
    assert hooks == [line.strip().lstrip("@") for line in commands.splitlines()]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (long_lines, "x" * 121),
        (long_lines, "```\n| code |\n```\n" + "x" * 121),
        (lines_too_wide, "| " + "x" * 121),
        (lines_too_wide, "```\n" + "x" * 121 + "\n```"),
        (long_decisions, "## One\n" + "line\n\n" * 11 + "## Two\n"),
    ],
)
def test_what_is_too_long_is_noticed(rule: Rule, text: str) -> None:
    assert len(list(rule(text))) == 1


def test_tables_and_code_may_be_wider_than_prose() -> None:
    assert list(long_lines("| " + "x" * 121 + "\n```\n" + "x" * 121 + "\n```")) == []


@pytest.mark.parametrize(
    "link", ["[a](missing.md)", "![a](images/missing.png)", "[a](#missing)", "[a](linked.md#missing)", "[a](#the-end)"]
)
def test_broken_link_is_noticed(link: str, tmp_path: Path) -> None:
    (tmp_path / "linked.md").write_text("## The end")
    assert len(list(broken_links(f"# Here\n{link}", tmp_path / "document.md"))) == 1


def test_anchors_are_those_of_github(tmp_path: Path) -> None:
    text = "# The `POST` of x, y & z!\n## One\n## One\n```\n# code\n```\n"
    assert anchors_of(text) == {"the-post-of-x-y--z", "one", "one-1"}
    (tmp_path / "linked.md").write_text(text)
    links = "[a](linked.md#one-1) [b](#here) [c](https://example.com/missing) `[d](missing.md)`\n# Here"
    assert list(broken_links(links, tmp_path / "document.md")) == []
