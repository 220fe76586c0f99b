"""Checks that every row, and every key at the gateway and the carrier, belongs to a saga (Q6)."""

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from orchestration.contracts.audit import ExternalRecord
from orchestration.operators.audit import keys
from orchestration.operators.audit.findings import Findings
from orchestration.operators.audit.keys import Key
from orchestration.operators.audit.snapshot import Books


def check_rows(books: Books, findings: Findings) -> None:
    """Check Q6 for the rows of every service."""
    for kind, saga_ids in books.services.mentions():
        for saga_id in saga_ids:
            findings.look_at("Q6")
            if books.saga(saga_id) is None:
                findings.violated("Q6", f"There is no saga to this {kind}.", saga=saga_id)
    _check_steps(books, findings)
    _check_orders(books, findings)


def check_keys(
    who: str, made: Iterable[tuple[UUID | None, Sequence[ExternalRecord]]], books: Books, findings: Findings
) -> None:
    """Check Q6 for the records of the gateway or the carrier (`who`), by saga."""
    for saga_id, things in made:
        known = {"saga": saga_id} if saga_id else {}
        for thing in things:
            findings.look_at("Q6", len(thing.keys))
            for key, fault in _key_faults(saga_id, thing, books):
                message = f"The {who} holds a key {fault}."
                findings.violated("Q6", message, key=key, made_under=thing.keys[0], order=thing.reference, **known)


def _check_steps(books: Books, findings: Findings) -> None:
    for step, rows in books.services.ledgers.items():
        for saga_id in rows:
            saga = books.saga(saga_id)
            if saga and saga.definition and step not in saga.definition.by_name:
                findings.violated("Q6", f"The saga has no step {step} to this ledger row.", saga=saga_id, step=step)


def _check_orders(books: Books, findings: Findings) -> None:
    for read in books.services.rows:
        if read.of.order_of is None:
            continue
        for saga_id, row in read.by_saga.items():
            saga, order_id = books.saga(saga_id), read.of.order_of(row)
            if saga and saga.order_id != order_id:
                message = f"The {read.of.kind} is for another order than its saga."
                findings.violated("Q6", message, saga=saga_id, order=order_id)


def _key_faults(saga_id: UUID | None, thing: ExternalRecord, books: Books) -> Iterator[tuple[str, str]]:
    saga = books.saga(saga_id)
    for text in thing.keys:
        key = keys.parse(text)
        if key is None:
            yield text, "that is not one of ours"
        elif saga is None:
            yield text, "of a saga that there is not"
        elif books.repairs.saga_of.get(key.saga_id) == saga_id:
            continue  # a repair saga made this, under its own key
        elif books.changes.checkout_of.get(key.saga_id) == saga_id:
            continue  # so did a change of the order
        elif key.saga_id != saga_id:
            yield text, "of another saga than the one it was made for"
        elif books.has_ended(saga_id) and not _is_remembered(key, books):
            yield text, f"for a call that the ledger of {key.step} knows nothing of"
    if saga and thing.reference != str(saga.order_id):
        yield thing.keys[0], "for another order than the saga's"


def _is_remembered(key: Key, books: Books) -> bool:
    row = books.services.row(key.step, key.saga_id)
    return row is not None and keys.STARTED_WITH[key.operation] in row.history
