"""Batches as tables for a terminal."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.table import Table

from orchestration.management.tables import of_previews, table_of
from orchestration.models import Batch
from orchestration.models.actions import OperatorAction
from orchestration.operators.actions.batches import BatchPreview
from orchestration.text import formatting

FACTS = ("sagas", "step", "state", "by", "reason", "evidence", "approved_by", "stopped_by", "stopped_why")

BatchJson = Mapping[str, Any]
"""A batch as `BatchShown` writes it."""


def of_batches(batches: Iterable[tuple[Batch, BatchJson]]) -> Table:
    """Return a table with one line for each batch."""
    columns = ("id", "asked", "action", "sagas", "state", "by", "chosen", "to do", "worked", "failed")
    return table_of(None, columns, (_batch(batch, shown["tally"]) for batch, shown in batches))


def of_batch(shown: BatchJson) -> Iterator[Table]:
    """Yield tables with all of one batch."""
    yield table_of(None, ("", ""), facts(shown))
    tally = {name.replace("_", " "): count for name, count in shown["tally"].items() if name != "canary_open"}
    yield table_of("members", ("chosen", *tally), [(shown["chosen"], *tally.values())])
    if shown["failures"]:
        columns = ("saga_id", "code", "observed", "detail")
        failures = ([each[column] or "" for column in columns] for each in shown["failures"])
        yield table_of("failures", columns, failures)


def facts(shown: BatchJson) -> Iterator[tuple[str, object]]:
    """Yield the request of the batch with its operator and reason, and the pace."""
    yield "batch", shown["id"]
    yield "action", shown["action"]
    for name in FACTS:
        if shown[name]:
            yield name.replace("_", " "), shown[name]
    if shown["statement"]:
        if shown["action"] == OperatorAction.RESOLVE:
            yield "outcome", shown["statement"]["outcome"]
        yield "facts", ", ".join(f"{name}={value}" for name, value in shown["statement"]["facts"].items()) or "none"
    yield "canary", shown["canary"]
    yield "per second", f"{shown['per_second']:g}"
    yield "stop above percent", f"{shown['stop_above_percent']:g}"


def of_preview(found: BatchPreview) -> Iterator[Table]:
    """Yield tables with what a batch would do."""
    chosen = f"{found.chosen}{'+' if found.is_too_many else ''}"
    needs = "yes" if found.needs_second_person else "no"
    columns = ("chosen", "possible", "needs a second person", "money")
    yield table_of(None, columns, [(chosen, found.possible, needs, " ".join(found.money))])
    if found.why_not:
        yield table_of("not possible", ("sagas", "why"), ((count, why) for why, count in found.why_not.items()))
    if found.examples:
        yield of_previews(found.examples, f"the first {len(found.examples)} of {found.possible}")


def _batch(batch: Batch, tally: Mapping[str, int]) -> tuple[object, ...]:
    return (
        *(batch.pk, formatting.moment(batch.asked_at), batch.action, batch.wanted_in_words, batch.state, batch.by),
        *(batch.members_chosen, tally["to_do"], tally["worked"], tally["failed"]),
    )
