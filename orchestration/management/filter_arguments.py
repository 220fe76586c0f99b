"""The arguments that select sagas: the filters of the table, ids, and a text to search for."""

from argparse import ArgumentParser
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import Q

from orchestration.management.arguments import moment, number_from_zero, saga_id, span, words
from orchestration.management.output import Output
from orchestration.management.subcommand import Options
from orchestration.operators.insight.filter_table import FILTERS, FilterRow, ValueKind
from orchestration.operators.insight.saga_filter import SagaFilter, condition, saga_filter_from
from orchestration.operators.insight.search import search, searched_by
from orchestration.operators.insight.status import WORDS_FOR_STATUSES


@dataclass(frozen=True)
class SagaSelection:
    """The selected sagas: those that meet the filter `wanted`, and that the text identifies if there is one."""

    wanted: SagaFilter
    text: str = ""
    known: Q = field(default_factory=Q)
    """The sagas that the text identifies."""

    @property
    def asks_for_something(self) -> bool:
        return self.wanted != SagaFilter() or bool(self.text)

    def looked_up(self, output: Output) -> "SagaSelection":
        """Return the selection with the sagas that the text identifies. Note each source that did not answer."""
        if not self.text:
            return self
        found = search(self.text)
        for why in found.unread:
            output.note(f"not searched: {why}")
        return replace(self, known=found.condition)

    def condition(self, *, now: datetime) -> Q:
        """Match the selected sagas."""
        return condition(self.wanted, now=now) & self.known

    def in_words(self) -> str:
        """Describe the filter, such as "parked, known by ada@example.org"."""
        return ", ".join(filter(None, [self.wanted.in_words(), self.text and f"known by {self.text}"]))


def add_filters(parser: ArgumentParser, *, with_ids: bool = True) -> None:
    """Add the arguments that select sagas. Each filter narrows the selection; the same one given again widens it."""
    if with_ids:
        parser.add_argument("ids", type=saga_id, nargs="*", metavar="ID")
    which = parser.add_argument_group("which sagas (each narrows; the same one again widens)")
    for row in FILTERS:
        if row.kind is not ValueKind.IDS:
            which.add_argument(f"--{row.name.replace('_', '-')}", **_argument(row))
    which.add_argument("--search", type=words, metavar="TEXT", help=", ".join(searched_by()))


def selection_of(options: Options) -> SagaSelection:
    """Return the selection that the options give."""
    return SagaSelection(saga_filter_from(options), options["search"] or "")


def _argument(row: FilterRow) -> dict[str, Any]:
    known = row.suggestions() if row.suggestions else ()
    argument: dict[str, Any] = {"help": row.option_help or _as_of_an_option(row.help) or ", ".join(known)}
    several = {"action": "append", "default": [], "metavar": row.metavar}
    match row.kind:
        case ValueKind.STATUSES:
            return several | {"choices": WORDS_FOR_STATUSES, "help": ", ".join(WORDS_FOR_STATUSES)}
        case ValueKind.TEXTS if row.choices:
            return argument | several | {"choices": row.choices()}
        case ValueKind.TEXTS:
            return argument | several | {"type": words}
        case ValueKind.FLAG:
            return argument | {"action": "store_true"}
        case ValueKind.NUMBER:
            return argument | {"type": number_from_zero, "default": 0, "metavar": row.metavar}
        case _:
            read = {ValueKind.SPAN: span, ValueKind.TIME: moment, ValueKind.TEXT: words}[row.kind]
            return argument | {"type": read, "metavar": row.metavar}


def _as_of_an_option(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].removesuffix(".")
