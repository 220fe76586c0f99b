"""Sagas as tables for a terminal. Times are UTC."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import IO, Any, cast

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestration.engine.selectors import UNREADABLE, StepProgress
from orchestration.models import OperatorLogEntry, SagaInstance, SagaLogEntry
from orchestration.operators.actions.requests import Preview
from orchestration.operators.insight.current_step import current_step_of
from orchestration.operators.insight.lock_waits import Waiter, lock_text
from orchestration.operators.insight.redaction import redacted
from orchestration.operators.insight.saga_view import SagaView
from orchestration.operators.insight.status import attempt_of, status_of, step_of
from orchestration.participant.ledger import LedgerRow
from orchestration.text import formatting
from orchestration.text.cleaning import harmless_lines

WIDTH_OF_A_FILE = 1_000  # columns; nothing is folded where no terminal limits it


class Plain(Console):
    """A console that prints texts literally: a gateway's error is no markup and cannot move the cursor."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(harmless_lines(text), **options)


def show(tables: Iterable[Table], out: OutputWrapper) -> None:
    """Print the tables, as wide as the terminal if there is one."""
    width = None if out.isatty() else WIDTH_OF_A_FILE
    console = Plain(file=cast(IO[str], out), width=width, highlight=False, markup=False)
    for table in tables:
        console.print(table)


def table_of(title: str | None, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Table:
    """Return a table of these cells. On a narrow terminal they fold, except in the first column, which has the ids."""
    table = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False, show_header=any(columns))
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(*(Text(harmless_lines(str(cell)), overflow="fold") for cell in row))
    return table


def of_sagas(sagas: Iterable[SagaInstance], *, now: datetime) -> Table:
    """Return a table with one line for each saga."""
    columns = ("id", "status", "definition", "phase", "parked", "step", "attempts", "age", "last error", "failure")
    return table_of(None, columns, (_saga(saga, now) for saga in sagas))


def of_moving(sagas: Iterable[SagaInstance], *, now: datetime) -> Table:
    """Return a table with one short line for each saga, for a terminal of any width."""
    columns = ("id", "status", "step", "attempt", "age")
    return table_of(None, columns, (_moving(saga, now) for saga in sagas))


def of_saga_view(view: SagaView, *, now: datetime) -> Iterator[Table]:
    """Yield tables with all of one saga."""
    yield table_of(f"saga {view.instance.pk}", ("", ""), [*_facts(view.instance, now), *_tries(view)])
    yield _steps(view, now)
    if view.waiters:
        yield table_of("sagas that wait for it", ("id", "definition", "lock", "since"), map(_waiter, view.waiters))
    ledger = ("service", "step", "status", "history", "token", "changed", "answer or refusal")
    yield table_of("ledgers", ledger, _ledger_rows(view))
    log = ("#", "at", "kind", "step", "phase after", "token", "detail")
    yield table_of("log", log, (_log_entry(entry) for entry in view.log))


def of_operator_log(entries: Iterable[OperatorLogEntry]) -> Table:
    """Return a table with what operators did to a saga, one line each."""
    columns = ("at", "by", "action", "step", "reason", "at once", "observed")
    return table_of("operator log", columns, map(_operator_log_entry, entries))


def _operator_log_entry(entry: OperatorLogEntry) -> tuple[object, ...]:
    return formatting.moment(entry.at), entry.by, entry.action, entry.step, entry.reason, entry.code, entry.observed


def of_previews(found: Iterable[Preview], title: str | None = None) -> Table:
    """Return a table with what an action would do to each saga."""
    columns = ("id", "possible", "what would happen", "money", "left alone")
    return table_of(title, columns, map(_preview, found))


def _preview(found: Preview) -> tuple[object, ...]:
    would = found.will if found.possible else [found.why_not]
    skipped = [f"{each.step}: {each.why}" for each in found.skipped]
    cells = ("\n".join(lines) for lines in (would, found.money, skipped))
    return found.saga_id, "yes" if found.possible else "no", *cells


def _saga(saga: SagaInstance, now: datetime) -> tuple[object, ...]:
    current = current_step_of(saga)
    return (
        *(saga.pk, status_of(saga).value, saga.definition, saga.phase, ", ".join(current.parked)),
        *(current.step, current.attempts, formatting.span(now - saga.created_at)),
        *(saga.last_error, (saga.failure or {}).get("code", "")),
    )


def _moving(saga: SagaInstance, now: datetime) -> tuple[object, ...]:
    attempt = attempt_of(saga)
    attempt_text = attempt.in_words(now) if attempt else ""
    return saga.pk, status_of(saga).value, step_of(saga), attempt_text, formatting.span(now - saga.created_at)


def _tries(view: SagaView) -> Iterator[tuple[str, object]]:
    """Yield the sagas before and after this one, if its work was given up to end a deadlock."""
    if view.instance.retry_of:
        yield "tries again", view.instance.retry_of
    if view.retried_by:
        yield "tried again by", view.retried_by


def _facts(saga: SagaInstance, now: datetime) -> Iterator[tuple[str, object]]:
    current = current_step_of(saga)
    yield "definition", saga.definition
    yield "status", status_of(saga).value
    yield "phase", saga.phase
    yield "current step", current.step or formatting.NOTHING
    yield "attempts", current.attempts
    yield "parked", ", ".join(current.parked) or formatting.NOTHING
    yield "failure", formatting.error(saga.failure)
    yield "waits for", f"{lock_text(saga.waits_on)}, held by {saga.waits_for}" if saga.waits_for else formatting.NOTHING
    yield "customer", saga.customer_id
    yield "idempotency key", saga.idempotency_key
    yield "order", saga.order_id or formatting.NOTHING
    yield "age", formatting.span(now - saga.created_at)
    for column in ("created_at", "changed_at", "dispatched_at", "due_at", "deadline_at", "ended_at"):
        yield column.removesuffix("_at"), formatting.moment(getattr(saga, column))
    yield "request", _json(redacted(saga.request, definition=saga.definition))
    yield "answers", _json(redacted(saga.answers, definition=saga.definition))


def _waiter(waiter: Waiter) -> tuple[object, ...]:
    return waiter.saga_id, waiter.definition, lock_text(waiter.resource), formatting.moment(waiter.since)


def _steps(view: SagaView, now: datetime) -> Table:
    columns = ("step", "service", "status", "since", "age", "attempts", "last error")
    if view.steps is None:
        return table_of(f"steps: this process has no definition called {view.instance.definition}", columns, ())
    return table_of("steps", columns, (_step(step, now) for step in view.steps))


def _step(step: StepProgress, now: datetime) -> tuple[object, ...]:
    age = formatting.span(now.astimezone(UTC) - step.since) if step.since else formatting.NOTHING
    error = formatting.error(step.last_error)
    return step.name, step.service, step.status, formatting.moment(step.since), age, step.attempts, error


def _ledger_rows(view: SagaView) -> Iterator[tuple[object, ...]]:
    for service, rows in view.ledgers.items():
        if rows is None:
            yield service, formatting.NOTHING, UNREADABLE, "", "", "", "its database does not answer"
        for row in rows or ():
            yield _ledger_row(service, row, view.instance.definition)


def _ledger_row(service: str, row: LedgerRow, definition: str) -> tuple[object, ...]:
    result = _json(redacted(row.answer if row.refusal is None else row.refusal, definition=definition))
    return service, row.step, row.status, " → ".join(row.history), row.token, formatting.moment(row.changed_at), result


def _log_entry(entry: SagaLogEntry) -> tuple[object, ...]:
    detail = _json(entry.detail)
    return entry.sequence, formatting.moment(entry.at), entry.kind, entry.step, entry.phase, entry.token, detail


def _json(facts: Mapping[str, Any] | str | None) -> str:
    return json.dumps(facts, ensure_ascii=False) if facts else ""
