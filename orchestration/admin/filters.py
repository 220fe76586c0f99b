"""The form that filters the list of sagas. It is made from the filter table, and converts to and from `SagaFilter`."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.http import QueryDict

from orchestration.operators.insight.filter_table import FILTERS, FilterRow, ValueKind
from orchestration.operators.insight.saga_filter import SagaFilter, saga_filter_from
from orchestration.operators.insight.search import searched_by
from orchestration.operators.insight.status import SagaStatus

_MINUTE = timedelta(minutes=1)
LONGEST_STUCK_MINUTES = 1_000_000_000
_NAMES = {"stuck_longer_than": "stuck"}
"""The filters that have another name in the form."""


class Moment(forms.DateTimeField):
    """A time that exists in UTC. Django's field would also take a time at the edge of the calendar in another zone."""

    def to_python(self, value: Any) -> datetime | None:
        try:
            at: datetime | None = super().to_python(value)
            return at and at.astimezone(UTC)
        except OverflowError as error:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from error


class Minutes(forms.FloatField):
    """A time span, typed in minutes."""

    def clean(self, value: Any) -> Any:
        minutes = super().clean(value)
        return None if minutes is None else minutes * _MINUTE


class Filter(forms.Form):
    """All filters of sagas. An unknown status or step makes the form invalid."""

    q = forms.CharField(required=False, label="Search")
    field_order = ("q", "status", "step", "error", "attempts", "stuck", "failing", "undoing", "definition")

    def __init__(self, given: QueryDict | Mapping[str, Any]) -> None:
        super().__init__(given, auto_id="filter_%s", label_suffix="")
        for row in FILTERS:
            if field := _field(row):
                self.fields[_name(row)] = field
        self.order_fields(self.field_order)
        self.fields["q"].widget = forms.TextInput(
            {"type": "search", "placeholder": ", ".join(searched_by()), "size": 60}
        )

    def wanted(self) -> SagaFilter:
        """Return the filter of a valid form, without the search text."""
        return saga_filter_from({row.name: self.cleaned_data.get(_name(row)) for row in FILTERS})


def parameters_of(wanted: SagaFilter) -> dict[str, Any]:
    """Return the URL parameters for the filter; of several steps, errors or definitions only the first."""
    typed = {_name(row): _typed(row, getattr(wanted, row.attribute)) for row in FILTERS}
    return {name: value for name, value in typed.items() if value}


def _name(row: FilterRow) -> str:
    return _NAMES.get(row.name, row.name)


def _field(row: FilterRow) -> forms.Field | None:
    options: dict[str, Any] = {"required": False, "label": row.label}
    known = row.choices or row.suggestions
    match row.kind:
        case ValueKind.STATUSES:
            choices = [(status.value, status.value.replace("_", " ")) for status in SagaStatus]
            return forms.MultipleChoiceField(choices=choices, widget=forms.CheckboxSelectMultiple, **options)
        case ValueKind.TEXTS if known:
            return forms.ChoiceField(choices=[("", "any"), *_same(known())], **options)
        case ValueKind.TEXTS | ValueKind.TEXT:
            return forms.CharField(**options)
        case ValueKind.FLAG:
            return forms.BooleanField(**options)
        case ValueKind.NUMBER:
            return forms.IntegerField(min_value=1, **options)
        case ValueKind.SPAN:
            return Minutes(min_value=0, max_value=LONGEST_STUCK_MINUTES, **options)
        case ValueKind.TIME:
            widget = forms.DateTimeInput({"type": "datetime-local", "step": "1"}, "%Y-%m-%dT%H:%M:%S")
            return Moment(widget=widget, **options)
    return None


def _same(words: Iterable[str]) -> list[tuple[str, str]]:
    return [(word, word) for word in words]


def _typed(row: FilterRow, value: Any) -> Any:
    match row.kind:
        case ValueKind.STATUSES:
            return sorted(status.value for status in value)
        case ValueKind.TEXTS:
            return sorted(value)[:1]
        case ValueKind.FLAG:
            return "on" if value else ""
        case ValueKind.SPAN if value is not None:
            return f"{value / _MINUTE:g}"
        case ValueKind.TIME if value is not None:
            return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
        case ValueKind.IDS:
            return ""
    return value
