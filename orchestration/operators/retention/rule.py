"""What may be purged, and when: nothing that may still be asked for."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from orchestration.messaging.topology import Depth
from orchestration.models import ALIAS, SagaInstance
from orchestration.models.audit import AuditFinding
from orchestration.operators.insight.sources import Unavailable, at_the_broker
from orchestration.participant.external import ExternalCommand
from orchestration.participant.ledger import Status
from orchestration.participant.participant import participants
from orchestration.sagas import CUSTOMER
from orchestration.text import formatting

SHORTEST = timedelta(days=30)
"""Longer than a message can wait in a queue that somebody consumes, and than a client tries again."""

FINAL = (Status.DONE, Status.REFUSED, Status.BARRED, Status.UNDONE)
"""A ledger row that is none of these is a call outside that somebody still has to ask after."""

RULE = """\
Purged are sagas that ended longer ago than the span, with their log; and then what services remember of their steps.
Kept are: the operator log and the machinery log; sagas that an audit has an open finding about, and those that put
something right; orders, payments, parcels and reservations; of every purged saga its id, so that audits know that
there was one. A message of a purged saga that came again would find nobody who remembers the step, and do it again.
So the span is 30 days at the least, twice as long as gateway and carrier remember a key, if that is longer; and
ledger rows stay while there are dead letters, which somebody could send again, or messages in a queue that nobody
consumes. A call outside whose outcome is unknown keeps its row for ever. A customer's idempotency key is free again
when its saga is purged; the order that was placed under it stays the only one."""


class TooShort(ValueError):
    """The span is shorter than something can still be asked for."""


def shortest_span() -> timedelta:
    """Return how long an ended saga is kept at the least."""
    lifetimes = [
        work.key_lifetime
        for participant in participants().values()
        for work in participant.commands.values()
        if isinstance(work, ExternalCommand) and work.key_lifetime
    ]
    return max([SHORTEST, *(2 * lifetime for lifetime in lifetimes)])


def refuse_too_short(span: timedelta) -> None:
    """Refuse a span in which a saga may still be needed.

    :raises TooShort: saying how long it has to be.
    """
    if span < (shortest := shortest_span()):
        raise TooShort(f"sagas are kept for {shortest.days} days after their end: something may still ask for them")


def purgeable(until: datetime) -> QuerySet[SagaInstance]:
    """Return sagas that ended before `until` and have no open finding, those that ended first first."""
    open_findings = AuditFinding.objects.using(ALIAS).filter(saga_id=OuterRef("pk"), gone_at=None)
    ended = SagaInstance.objects.using(ALIAS).filter(ended_at__lt=until).exclude(customer_id=CUSTOMER)
    return ended.filter(~Exists(open_findings)).order_by("ended_at", "pk")


def why_ledger_rows_stay() -> list[str]:
    """Return what could still send messages of purged sagas; empty if nothing could."""
    found = at_the_broker(settings.TOPOLOGY.depths)
    if isinstance(found, Unavailable):
        return [f"{found}, so what it holds is not known"]
    return list(_old_messages(found))


def _old_messages(depths: dict[str, Depth]) -> Iterator[str]:
    dead = depths.pop(settings.TOPOLOGY.dead_letter_queue.name, None)
    if dead and dead.messages:
        yield f"{formatting.count(dead.messages, 'dead letter')} could be sent again: send or discard first"
    for name, depth in depths.items():
        if depth.messages and depth.consumers == 0:
            yield f"{formatting.count(depth.messages, 'message')} waiting in queue {name}, which has no consumer"
