"""Sagas as tables for a terminal."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orchestration import wording
from orchestration.case import Case
from orchestration.management.resuming import Resumption
from orchestration.models import SagaInstance, SagaLogEntry
from orchestration.participant.ledger import LedgerRow
from orchestration.selectors import UNREADABLE, StepProgress
from orchestration.standing import standing_of

WIDTH_OF_A_FILE = 1_000  # columns; nothing is cut off where no terminal limits it


def show(tables: Iterable[Table], file: "TextIO") -> None:
    """Print the tables, in a terminal's width if there is one."""
    width = None if file.isatty() else WIDTH_OF_A_FILE
    console = Console(file=file, width=width, highlight=False)
    for table in tables:
        console.print(table)
