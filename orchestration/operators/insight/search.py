"""Search for sagas by an id, a key, a customer, or a reference that only a service knows."""

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from django.db.models import Q, QuerySet

from orchestration.db import deadline
from orchestration.engine.selectors import SERVICES_READ_WITHIN
from orchestration.models import ALIAS, SagaInstance
from orchestration.operators.insight.keyset import ByMoment
from orchestration.operators.insight.sources import Unavailable, read
from orchestration.participant.participant import participants
from orchestration.participant.search_key import Found

NEWEST_FIRST = ByMoment("created_at")


@dataclass(frozen=True)
class Search:
    """The sagas that a text identifies, from the sources that answered; `unread` names the sources that did not."""

    condition: Q
    unread: tuple[str, ...]

    @property
    def sagas(self) -> QuerySet[SagaInstance]:
        """The sagas that were found, the newest first."""
        return newest_sagas().filter(self.condition)


def newest_sagas() -> QuerySet[SagaInstance]:
    """Return every saga, the newest first."""
    return SagaInstance.objects.using(ALIAS).order_by(*NEWEST_FIRST.columns)


def known_by(text: str) -> Q:
    """Match sagas whose id, order id, customer or idempotency key is exactly `text`."""
    condition = Q(customer_id=text) | Q(idempotency_key=text)
    try:
        found = UUID(text)
    except ValueError:
        return condition
    return condition | Q(pk=found) | Q(order_id=found)


def search(text: str) -> Search:
    """Find sagas by saga id, order id, customer, idempotency key, and the keys that services know.

    Only exact matches are found. Each lookup uses an index.
    """
    word = text.strip()
    if not word or "\0" in word:  # PostgreSQL stores no text with a NUL
        return Search(Q(pk__in=[]), ())
    condition, unread = known_by(word), []
    for found in _found_by_services(word):
        if isinstance(found, Unavailable):
            unread.append(found.why)
        else:
            condition |= _either(found)
    return Search(condition, tuple(unread))


def search_if_any(text: str) -> Search:
    """Find sagas as `search` does; without a text, find every saga."""
    return search(text) if text else Search(Q(), ())


def searched_by() -> list[str]:
    """Return the names of everything that the search accepts."""
    known = [finder.what for participant in participants().values() for finder in participant.finders]
    return ["saga id", "order id", "customer", "idempotency key", *sorted(known)]


def _found_by_services(word: str) -> list[Found | Unavailable]:
    with deadline.within(SERVICES_READ_WITHIN):
        return [
            read(f"the database of {participant.service}", partial(finder.find, word))
            for participant in participants().values()
            for finder in participant.finders
        ]


def _either(found: Found) -> Q:
    condition = Q(pk__in=[])
    if found.saga_ids:
        condition |= Q(pk__in=found.saga_ids)
    if found.customer_ids:
        condition |= Q(customer_id__in=found.customer_ids)
    return condition
