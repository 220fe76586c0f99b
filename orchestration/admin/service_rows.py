"""The rows that services store about a saga, as the services' own lists in the admin show them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import display_for_field, label_for_field, lookup_field
from django.db import Error
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse

from orchestration.participant.participant import Participant, participants
from orchestration.text import formatting

AT_MOST = 20
"""The most rows of one table that are shown."""


@dataclass(frozen=True)
class RowsShown:
    """The rows of one table about a saga; `lines` is None if the database does not answer."""

    service: str
    title: str
    url: str
    headings: list[str]
    lines: list[list[str]] | None


def rows_of(saga_id: UUID, request: HttpRequest) -> list[RowsShown]:
    """Return the rows that services store about the saga besides their ledgers, as far as the user may see them."""
    return [
        _shown(participant.service, model, options, saga_id)
        for participant in participants().values()
        for model, options in _tables(participant)
        if options.has_view_permission(request)
    ]


def _tables(participant: Participant) -> Iterator[tuple[type[Model], Any]]:
    for model in apps.get_app_config(participant.service).get_models():
        options = admin.site._registry.get(model)
        if options and model is not participant.ledger and any(f.name == "saga_id" for f in model._meta.get_fields()):
            yield model, options


def _shown(service: str, model: type[Model], options: Any, saga_id: UUID) -> RowsShown:
    columns = [name for name in options.list_display if name != "saga_id"]
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    headings = [str(label_for_field(name, model, options)) for name in columns]
    try:
        found = list(model._default_manager.using(service).filter(saga_id=saga_id)[:AT_MOST])  # type: ignore[misc]
    except Error:
        found = None
    lines = None if found is None else [[_cell(row, name, options) for name in columns] for row in found]
    return RowsShown(service, str(model._meta.verbose_name_plural), f"{url}?q={saga_id}", headings, lines)


def _cell(row: Model, name: str, options: Any) -> str:
    field, _, value = lookup_field(name, row, options)
    if value is None or value == "":
        return formatting.NOTHING
    if isinstance(value, datetime):
        return formatting.moment(value)
    return str(display_for_field(value, field, "")) if field else str(value)
