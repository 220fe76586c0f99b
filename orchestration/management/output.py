"""What commands print: data on stdout, as a table, JSON or a line of JSON each; everything else on stderr.

JSON is ASCII, the rest escaped: a terminal may read it.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, cast

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from orchestration.management import tables
from orchestration.text.cleaning import harmless_lines

TABLE, JSON, JSONL = FORMATS = ("table", "json", "jsonl")


class ProgressBar:
    """A progress bar; shown on a terminal only."""

    def __init__(self, progress: Progress | None, what: str, total: int | None) -> None:
        self._progress = progress
        self._task = progress.add_task(what, total=total) if progress else None

    def advance(self, by: int = 1) -> None:
        """Add to the progress."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, by)


@dataclass(frozen=True)
class Output:
    """The streams that a command writes to, and its format, one of `FORMATS`."""

    out: OutputWrapper
    err: OutputWrapper
    form: str = TABLE

    def write(self, value: Any, as_tables: Iterable[Table] = ()) -> None:
        """Print data. `value` is JSON-ready; as lines of JSON, a list has one for each member."""
        if self.form == TABLE:
            tables.show(as_tables, self.out)
        elif self.form == JSON:
            self.out.write(json.dumps(value, indent=2))
        else:
            for each in value if isinstance(value, list) else [value]:
                self.line(each)

    def line(self, value: Any) -> None:
        """Print one line of JSON, at once."""
        self.out.write(json.dumps(value))
        self.out.flush()

    def note(self, text: str) -> None:
        """Print a message that is no data, on stderr."""
        self.err.write(harmless_lines(text))

    @contextmanager
    def counting(self, what: str, total: int | None = None) -> Iterator[ProgressBar]:
        """Show a progress bar if stderr is a terminal."""
        if not self.err.isatty():
            yield ProgressBar(None, what, total)
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(file=cast(IO[str], self.err)), transient=True) as progress:
            yield ProgressBar(progress, what, total)
