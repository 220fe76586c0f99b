"""What somebody types for the record: a reason, or evidence."""

from typing import Any

from django import forms

from orchestration.operations.values import LONGEST_WORDS
from orchestration.wording import says_something


class Words(forms.CharField):
    """A letter or a digit at the least, and not a novel."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=LONGEST_WORDS, validators=[_refuse_nothing], **options)


def complaints(said: forms.Form) -> str:
    """What is wrong with what was said, in a line."""
    return " ".join(str(error) for errors in said.errors.values() for error in errors)


def _refuse_nothing(text: str) -> None:
    if not says_something(text):
        raise forms.ValidationError("Enter at least one letter or digit.")
