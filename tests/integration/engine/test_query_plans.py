"""What is asked for every message reads the rows it is about, whatever the planner knows of the tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connections, transaction

from orchestration.engine import store
from orchestration.models import ALIAS, SagaInstance
from orchestration.participant.ledger import Status
from orchestration.participant.ledger_store import Call, LedgerChange
from orchestration.participant.participant import participants
from tests.integration.operators.insight.generated import generate_sagas

pytestmark = pytest.mark.django_db(databases=[ALIAS, "payments"])

MANY = 5_000


@contextmanager
def reading_little(alias: str, table: str) -> Iterator[None]:
    """What is done in it reads no table whole, and only few entries of its indexes."""
    before = _read(alias, table)
    yield
    whole, entries = (after - earlier for after, earlier in zip(_read(alias, table), before, strict=True))
    assert (whole, entries < 100) == (0, True), f"{table}: {whole} rows and {entries} index entries were read"


def _read(alias: str, table: str) -> tuple[int, int]:
    """In this transaction: rows read by reading the whole table, and entries of its indexes."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT pg_stat_get_xact_tuples_returned(oid), "
            "(SELECT sum(pg_stat_get_xact_tuples_returned(indexrelid)) FROM pg_index WHERE indrelid = oid) "
            "FROM pg_class WHERE oid = %s::regclass",
            [table],
        )
        whole, entries = cursor.fetchone()
    return int(whole), int(entries)


def test_looking_whether_anything_is_due_reads_none_of_what_is_not() -> None:
    generate_sagas(MANY, analyse=False)
    long_ago = datetime.now(UTC) - timedelta(days=1)
    with reading_little(ALIAS, "orchestration_sagainstance"):
        assert not store.is_any_due(long_ago)


def test_a_decision_reads_the_saga_it_is_about() -> None:
    generate_sagas(MANY, analyse=False)
    [some] = SagaInstance.objects.order_by("created_at")[:1]
    with reading_little(ALIAS, "orchestration_sagainstance"):
        [found] = store.find([some.pk]).values()
        change = store.RowChange(found, {"version": found.version + 1}, entries=[])
        assert store.compare_and_set([change], about="Test", then=None) == {some.pk}


def test_a_step_reads_the_ledger_rows_it_is_about() -> None:
    rows = participants()["payments"].rows
    rows.claim([Call(uuid4(), "authorise_payment", 1, {}) for _ in range(MANY)], Status.STARTED)
    call = Call(uuid4(), "authorise_payment", 1, {})
    with reading_little("payments", "payments_ledger"):
        assert rows.claim([call], Status.STARTED) == {call.saga_id}
        assert rows.read([call.saga_id], call.step).keys() == {call.saga_id}
        rows.change(call.step, [LedgerChange(call.saga_id, 1, Status.DONE, answer={})], was=[Status.STARTED])
        assert rows.read([call.saga_id], call.step)[call.saga_id].status == Status.DONE


@pytest.mark.parametrize("alias", [ALIAS, "payments"])
def test_no_statement_is_compiled_or_shared_out_whatever_it_seems_to_cost(alias: str) -> None:
    """Where statistics mislead, a statement that reads eight rows seems to read a hundred thousand."""
    eager = ("jit_above_cost", "parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size")
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        for setting in eager:
            cursor.execute(f"SET LOCAL {setting} = 0")
        cursor.execute("EXPLAIN ANALYZE SELECT count(*) FROM django_migrations")
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "JIT" not in plan
    assert "Workers" not in plan
