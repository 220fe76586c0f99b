"""What services said goes to a terminal as text: it is no markup, and moves no cursor."""

import io
import json
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.core.management.base import OutputWrapper
from rich.table import Table

from orchestration.management import tables
from orchestration.management.output import JSON, JSONL, Output
from orchestration.operators.actions.requests import Preview

SAID = "\x1b]0;owned\x07\x1b[2J[/b][red]down[/red]\x9b"
TURNED = "\u202egnillac\u202c \u2028\u2066x\u2069"


def _of_strings() -> Table:
    table = Table("error")
    table.add_row(SAID)
    return table


@pytest.mark.parametrize("make", [_of_strings, lambda: tables.table_of(None, ["error"], [[SAID]])])
def test_a_cell_is_what_was_said_without_what_a_terminal_obeys(make: Callable[[], Table]) -> None:
    out = io.StringIO()
    tables.show([make()], OutputWrapper(out))
    assert "[/b][red]down[/red]" in out.getvalue()
    assert not {"\x1b", "\x07", "\x9b"} & set(out.getvalue())


def test_a_note_is_what_was_said_without_what_a_terminal_obeys() -> None:
    err = io.StringIO()
    Output(OutputWrapper(io.StringIO()), OutputWrapper(err)).note(SAID)
    assert err.getvalue() == r"\x1b]0;owned\x07\x1b[2J[/b][red]down[/red]\x9b" + "\n"


@pytest.mark.parametrize("form", [JSON, JSONL])
def test_json_is_ascii_whatever_was_said(form: str) -> None:
    out = io.StringIO()
    Output(OutputWrapper(out), OutputWrapper(io.StringIO()), form).write({"error": SAID + TURNED, "name": "Zoë"})
    assert out.getvalue().isascii()
    assert not {"\x1b", "\x07"} & set(out.getvalue())
    assert json.loads(out.getvalue()) == {"error": SAID + TURNED, "name": "Zoë"}


def test_a_cell_turns_no_text_around() -> None:
    out = io.StringIO()
    tables.show([tables.table_of(None, ["error"], [[TURNED]])], OutputWrapper(out))
    assert not set(TURNED) & {"\u202e", "\u2028", "\u2066"} & set(out.getvalue())
    assert r"\u202egnillac\u202c" in out.getvalue()


def test_a_preview_on_a_narrow_terminal_cuts_no_id_and_no_reference() -> None:
    saga_id, reference = uuid4(), "authorise_cadc96cff324404a92a2a96762960a48"
    will = ("capture_payment counts as settled outside: nothing is called for it any more.",)
    found = Preview(saga_id, True, "taken", "", will=will, money=(f"our books go on saying: authorised ({reference})",))
    out = io.StringIO()
    tables.Plain(file=out, width=100).print(tables.of_previews([found]))
    assert str(saga_id) in out.getvalue()
    assert "…" not in out.getvalue()
