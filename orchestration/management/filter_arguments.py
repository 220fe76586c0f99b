"""Arguments that say which sagas: the filters of the admin, ids, and text that somebody has at hand."""

from argparse import ArgumentParser
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from orchestration.management.arguments import moment, number_from_zero, saga_id, span, words
from orchestration.management.output import Output
from orchestration.management.subcommand import Options
from orchestration.operators.insight.current_step import known_steps
from orchestration.operators.insight.saga_filter import Wanted, condition
from orchestration.operators.insight.search import search, searched_by
from orchestration.operators.insight.status import WORDS_FOR_STATUSES, statuses_meant
from orchestration.sagas import definitions


@dataclass(frozen=True)
class SagaFilter:
    """Which sagas are meant: all that `wanted` asks for, and that are known by the text if there is one."""

    wanted: Wanted
    text: str = ""
    known: Q = field(default_factory=Q)
    """What the text was found to mean."""

    @property
    def asks_for_something(self) -> bool:
        return self.wanted != Wanted() or bool(self.text)

    def looked_up(self, output: Output) -> "SagaFilter":
        """The same, with what the text means; who could not be asked about it is told of."""
        if not self.text:
            return self
        found = search(self.text)
        for why in found.unread:
            output.note(f"not searched: {why}")
        return replace(self, known=found.condition)

    def condition(self, *, now: datetime) -> Q:
        """Matches the sagas that are meant."""
        return condition(self.wanted, now=now) & self.known

    def in_words(self) -> str:
        """Such as "parked, known by ada@example.org"."""
        return ", ".join(filter(None, [self.wanted.in_words(), self.text and f"known by {self.text}"]))


def add_filters(parser: ArgumentParser, *, with_ids: bool = True) -> None:
    """Let it be said which sagas; each filter narrows, the same one given again widens."""
    if with_ids:
        parser.add_argument("ids", type=saga_id, nargs="*", metavar="ID")
    which = parser.add_argument_group("which sagas (each narrows; the same one again widens)")
    which.add_argument(
        "--status",
        choices=WORDS_FOR_STATUSES,
        action="append",
        default=[],
        metavar="STATUS",
        help=_or(WORDS_FOR_STATUSES),
    )
    which.add_argument(
        "--step", choices=known_steps(), action="append", default=[], metavar="STEP", help="that fails, or is owed next"
    )
    which.add_argument(
        "--error", type=words, action="append", default=[], metavar="CLASS", help="how its last try ended"
    )
    which.add_argument(
        "--attempts", type=number_from_zero, default=0, metavar="N", help="its failing step has failed N times or more"
    )
    which.add_argument("--failing", action="store_true", help="a step fails or waits for a breaker; paused ones do not")
    which.add_argument(
        "--undoing",
        action="store_true",
        help="it is given up or compensated, also while that is retried, waits or is paused; parked ones are not",
    )
    which.add_argument(
        "--stuck-longer-than", type=span, metavar="SPAN", help="nothing has moved for 90s, 15m, 2h, 30d…"
    )
    which.add_argument("--definition", type=words, action="append", default=[], metavar="NAME", help=_or(definitions))
    which.add_argument(
        "--created-from", type=moment, metavar="WHEN", help="such as 2026-07-14T12:00, UTC unless it says"
    )
    which.add_argument("--created-until", type=moment, metavar="WHEN", help="exclusive")
    which.add_argument("--customer", type=words, metavar="ID")
    which.add_argument("--search", type=words, metavar="TEXT", help=_or(searched_by()))


def saga_filter_of(options: Options) -> SagaFilter:
    """Read the arguments."""
    return SagaFilter(
        Wanted(
            statuses=statuses_meant(options["status"]),
            steps=frozenset(options["step"]),
            errors=frozenset(options["error"]),
            definitions=frozenset(options["definition"]),
            failing=options["failing"],
            undoing=options["undoing"],
            failed_tries_from=options["attempts"],
            stuck_for=options["stuck_longer_than"],
            created_from=options["created_from"],
            created_until=options["created_until"],
            customer_id=options["customer"] or "",
            ids=frozenset[UUID](options.get("ids") or ()),
        ),
        options["search"] or "",
    )


def _or(words: Iterable[str]) -> str:
    return ", ".join(words)
