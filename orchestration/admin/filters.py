"""The form that a list of sagas is sifted by, to and from what is `Wanted`."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.http import QueryDict

from orchestration.operators.insight.current_step import known_steps
from orchestration.operators.insight.saga_filter import Wanted
from orchestration.operators.insight.search import searched_by
from orchestration.operators.insight.status import Status
from orchestration.sagas import definitions

_MINUTE = timedelta(minutes=1)
LONGEST_STUCK_MINUTES = 1_000_000_000
_ANY = ("", "any")


class Moment(forms.DateTimeField):
    """A time that there is in UTC; Django's own would also take one at the edge of the calendar elsewhere."""

    def to_python(self, value: Any) -> datetime | None:
        try:
            at: datetime | None = super().to_python(value)
            return at and at.astimezone(UTC)
        except OverflowError as error:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from error


class Filter(forms.Form):
    """Everything that sagas are sifted by; a word that none is called by makes the form invalid."""

    q = forms.CharField(required=False, label="Search")
    status = forms.MultipleChoiceField(
        required=False,
        choices=[(status.value, status.value.replace("_", " ")) for status in Status],
        widget=forms.CheckboxSelectMultiple,
    )
    step = forms.ChoiceField(required=False, label="Current step")
    error = forms.CharField(required=False, label="Error class")
    attempts = forms.IntegerField(required=False, min_value=1, label="Failed tries, at least")
    stuck = forms.FloatField(
        required=False, min_value=0, max_value=LONGEST_STUCK_MINUTES, label="Not moved for, minutes"
    )
    failing = forms.BooleanField(required=False, label="Only what is failing")
    undoing = forms.BooleanField(required=False, label="Only what is being undone")
    definition = forms.ChoiceField(required=False)
    created_from = Moment(required=False, label="Created from (UTC)")
    created_until = Moment(required=False, label="Created before (UTC)")
    customer = forms.CharField(required=False)

    def __init__(self, given: QueryDict | Mapping[str, Any]) -> None:
        super().__init__(given, auto_id="filter_%s", label_suffix="")
        self.fields["step"].choices = [_ANY, *((step, step) for step in known_steps())]  # type: ignore[attr-defined]
        self.fields["definition"].choices = [_ANY, *((name, name) for name in definitions)]  # type: ignore[attr-defined]
        for name in ("created_from", "created_until"):
            self.fields[name].widget = forms.DateTimeInput({"type": "datetime-local", "step": "1"}, "%Y-%m-%dT%H:%M:%S")
        self.fields["q"].widget = forms.TextInput(
            {"type": "search", "placeholder": ", ".join(searched_by()), "size": 60}
        )

    def wanted(self) -> Wanted:
        """What a valid form asks for, but for the search."""
        said = self.cleaned_data
        return Wanted(
            statuses=frozenset(map(Status, said["status"])),
            steps=_alone(said["step"]),
            errors=_alone(said["error"]),
            definitions=_alone(said["definition"]),
            failed_tries_from=said["attempts"] or 0,
            stuck_for=None if said["stuck"] is None else said["stuck"] * _MINUTE,
            failing=said["failing"],
            undoing=said["undoing"],
            created_from=said["created_from"],
            created_until=said["created_until"],
            customer_id=said["customer"],
        )


def parameters_of(wanted: Wanted) -> dict[str, Any]:
    """The address's parameters that ask for it; of several steps, errors or definitions the first."""
    said = {
        "status": sorted(status.value for status in wanted.statuses),
        "step": sorted(wanted.steps)[:1],
        "error": sorted(wanted.errors)[:1],
        "definition": sorted(wanted.definitions)[:1],
        "attempts": wanted.failed_tries_from,
        "stuck": "" if wanted.stuck_for is None else f"{wanted.stuck_for / _MINUTE:g}",
        "failing": "on" if wanted.failing else "",
        "undoing": "on" if wanted.undoing else "",
        "created_from": _typed(wanted.created_from),
        "created_until": _typed(wanted.created_until),
        "customer": wanted.customer_id,
    }
    return {name: value for name, value in said.items() if value}


def _typed(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}" if at else ""


def _alone(word: str) -> frozenset[str]:
    return frozenset({word}) if word else frozenset()
