"""The request bodies of the staff API, validated strictly."""

from functools import partial
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from orchestration.api.json_body import read_json
from orchestration.api.problems import FieldError, ValidationFailed
from orchestration.api.strict_fields import Id, Number, Strict, Text, TrueOrFalse, WholeNumber
from orchestration.models.actions import OperatorAction
from orchestration.operators.actions.batch_pacing import FASTEST, SLOWEST
from orchestration.operators.actions.batches import USUAL_PACE
from orchestration.operators.actions.requests import LONGEST_TEXT, NEEDS_EVIDENCE, Actor, Ask, NotAsked
from orchestration.operators.api.filters import LONGEST, filter_fields
from orchestration.operators.insight.filter_table import ValueKind
from orchestration.participant.manual_outcome import ReportedOutcome
from orchestration.text.formatting import says_something

LONGEST_VERSION = 2**31 - 1
MOST_IN_A_CANARY = 1_000


class RecordText(Text):
    """A text that is recorded. It has at least one letter or digit."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=LONGEST_TEXT, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not says_something(text):
            self.fail("blank")
        return text


class FactsField(serializers.DictField):
    """Texts by name; REST framework's own would take any name."""

    child = Text(max_length=LONGEST_TEXT)
    name = Text(max_length=LONGEST)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        facts: dict[str, str] = super().to_internal_value(data)
        return {self.name.run_validation(name): fact for name, fact in facts.items()}


class Word(Strict):
    """Why; and whether it is only looked at."""

    reason = RecordText(help_text="For the record.")
    dry_run = TrueOrFalse(default=False, help_text="Say what would happen, and change nothing.")


class ActionBody(Word):
    """An action on a saga."""

    action = serializers.ChoiceField([action.value for action in OperatorAction])
    step = Text(max_length=200, required=False, help_text="For resolve and settle.")
    outcome = serializers.ChoiceField(
        [each.value for each in ReportedOutcome], required=False, help_text="For resolve."
    )
    facts = FactsField(required=False, help_text="What the service asks, for resolve and settle.")
    evidence = RecordText(required=False, help_text="For resolve and settle: what shows it.")


class ActionAsked(ActionBody):
    """An action on one saga, with the version that the operator saw."""

    void = TrueOrFalse(default=False, help_text="For settle: have what the step leaves on hold voided.")
    expected_version = WholeNumber(
        min_value=0,
        max_value=LONGEST_VERSION,
        required=False,
        help_text="Act only if the saga is still at this `version`; an `If-Match` header says the same.",
    )


class Opening(Word):
    """For how long a breaker is to be open."""

    seconds = WholeNumber(min_value=1, max_value=86_400, help_text="A day at the most.")


def read(request: Request, serializer: type[Strict]) -> dict[str, Any]:
    """Return the validated body.

    :raises ValidationFailed: when a member is invalid; `errors` names the members.
    :raises Problem: as `read_json` does.
    """
    found = serializer(data=read_json(request).value)
    found.is_valid(raise_exception=True)
    return dict(found.validated_data)


def ask_of(body: dict[str, Any], actor: Actor) -> Ask:
    """Return the action that the body requests.

    :raises ValidationFailed: when something that the action needs is missing.
    """
    action = OperatorAction(body["action"])
    if action is OperatorAction.RESOLVE and "outcome" not in body:
        raise ValidationFailed(errors=[FieldError("/outcome", "required", "resolve needs the outcome")])
    outcome = ReportedOutcome(body["outcome"]) if "outcome" in body and action in NEEDS_EVIDENCE else None
    facts = body.get("facts", {}) if action in NEEDS_EVIDENCE else {}
    options = {name: body[name] for name in ("step", "evidence", "void") if name in body}
    try:
        return Ask(action, actor, body["reason"], outcome=outcome, facts=facts, **options)
    except NotAsked as error:
        raise ValidationFailed(str(error), errors=[FieldError("", "required", str(error))]) from error


class Some(serializers.ListField):
    """A list of at least one. An empty list is refused: a client that found nothing does not mean all."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_empty=False, **kwargs)


class Which(Strict):
    """The sagas that are meant, at least one of these; as in `GET /sagas`. A list without anything is refused."""

    ids = Some(child=Id(), max_length=1_000, required=False)

    def get_fields(self) -> dict[str, Any]:
        """Return the fields of the table, then those of this class."""
        return {**_BODY(), **super().get_fields()}


_BODY = partial(
    filter_fields,
    many=Some,
    text=Text,
    flag=TrueOrFalse,
    number=WholeNumber,
    help_of=lambda row: "Seconds." if row.kind is ValueKind.SPAN else "",
)


class BatchAsked(ActionBody):
    """An action on many sagas: a few first, then the others at a rate."""

    sagas = Which()
    canary = WholeNumber(
        min_value=0, max_value=MOST_IN_A_CANARY, default=USUAL_PACE.canary, help_text="How many go first."
    )
    per_second = Number(min_value=SLOWEST, max_value=FASTEST, default=USUAL_PACE.per_second)
    stop_above_percent = Number(
        min_value=0,
        max_value=100,
        default=USUAL_PACE.stop_above_percent,
        help_text="It stops when more than this share of the finished ones failed.",
    )


class Breaking(Strict):
    """Why a lock is to be broken, and what shows that it must be."""

    reason = RecordText(help_text="For the record.")
    evidence = RecordText(help_text="What shows that its saga does nothing under it any more.")


class Stopping(Strict):
    """Why a batch is stopped."""

    reason = RecordText()
