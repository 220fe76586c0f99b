"""The rule of retention: which sagas and ledger rows may be purged, and when. Nothing that may be needed is purged."""

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
"""It is longer than a message can wait in a queue that has a consumer, and longer than a client retries."""

FINAL = (Status.DONE, Status.REFUSED, Status.BARRED, Status.UNDONE)
"""The final statuses of a ledger row. A row in another status waits for a lock, or is an external call whose outcome is
still to be queried."""

RULE = """\
The purge removes sagas that ended longer ago than the span, with their logs, and then their ledger rows in the
services. It keeps the operator log and the machinery log; sagas with an open audit finding, and sagas that repair
others; orders, payments, parcels and reservations; and the id of every purged saga, so that audits know it existed.
If a message of a purged saga arrived again, no ledger row would show that the step is done, and it would be done
again. Therefore the span is at least 30 days, or twice the time that gateway and carrier remember a key if that is
longer. For the same reason, ledger rows stay while there are dead letters, which could be sent again, or messages in
a queue without a consumer. An external call whose outcome is unknown keeps its row for ever. When a saga is purged,
its customer can use its idempotency key again; the order that was placed with the key stays the only one."""


class TooShort(ValueError):
    """The span is so short that a purged saga could still be needed."""


def shortest_span() -> timedelta:
    """Return the shortest time for which an ended saga is kept."""
    lifetimes = [
        work.key_lifetime
        for participant in participants().values()
        for work in participant.commands.values()
        if isinstance(work, ExternalCommand) and work.key_lifetime
    ]
    return max([SHORTEST, *(2 * lifetime for lifetime in lifetimes)])


def refuse_too_short(span: timedelta) -> None:
    """Refuse a span that is shorter than `shortest_span`.

    :raises TooShort: when it is shorter; the message names the shortest span.
    """
    if span < (shortest := shortest_span()):
        raise TooShort(f"sagas are kept for {shortest.days} days after their end: they may still be needed")


def purgeable(until: datetime) -> QuerySet[SagaInstance]:
    """Return the sagas that ended before `until` and have no open finding, in the order of their ends."""
    open_findings = AuditFinding.objects.using(ALIAS).filter(saga_id=OuterRef("pk"), gone_at=None)
    ended = SagaInstance.objects.using(ALIAS).filter(ended_at__lt=until).exclude(customer_id=CUSTOMER)
    return ended.filter(~Exists(open_findings)).order_by("ended_at", "pk")


def why_ledger_rows_stay() -> list[str]:
    """Return the reasons why messages of purged sagas could still arrive; empty if there is none."""
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
