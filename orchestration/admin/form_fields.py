"""The form fields for texts that are recorded: a reason, or evidence."""

from typing import Any

from django import forms

from orchestration.operators.actions.requests import LONGEST_TEXT
from orchestration.text.card_numbers import holds_card_number, without_card_numbers
from orchestration.text.formatting import says_something


class WithoutCardNumbers(forms.CharField):
    """A text without card numbers. A text with a card number is refused, and shown again without the number."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.validators.append(_refuse_card_numbers)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what was typed, without card numbers."""
        return without_card_numbers(data) if isinstance(data, str) else data


class RecordedText(WithoutCardNumbers):
    """A text with at least one letter or digit, and at most `LONGEST_TEXT` characters."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=LONGEST_TEXT, **options)
        self.validators.append(_refuse_nothing)


def complaints(form: forms.Form) -> str:
    """Return the form's errors as one line."""
    return " ".join(str(error) for errors in form.errors.values() for error in errors)


def _refuse_nothing(text: str) -> None:
    if not says_something(text):
        raise forms.ValidationError("Enter at least one letter or digit.")


def _refuse_card_numbers(text: str) -> None:
    if holds_card_number(text):
        raise forms.ValidationError("It holds a card number: leave that out.", code="card_number")
