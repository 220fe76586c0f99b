"""What services said goes to a terminal as text: it is no markup, and moves no cursor."""

import io
from collections.abc import Callable

import pytest
from django.core.management.base import OutputWrapper
from rich.table import Table

from orchestration.management import tables
from orchestration.management.saying import Voice

SAID = "\x1b]0;owned\x07\x1b[2J[/b][red]down[/red]\x9b"


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
    Voice(OutputWrapper(io.StringIO()), OutputWrapper(err)).note(SAID)
    assert err.getvalue() == "]0;owned[2J[/b][red]down[/red]\n"
