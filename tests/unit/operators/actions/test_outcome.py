"""What is seen of an operator's action: never more than happened, and bad news as soon as there is any."""

import pytest

from orchestration.models.actions import OperatorAction
from orchestration.operators.actions.outcome import LogLine, Now, Observed, outcome_of
from orchestration.protocol.states import Kind, Phase

TIMEOUT = {"class": "GatewayTimeout", "message": "no answer"}


def now(*since: LogLine, phase: Phase = Phase.COMPENSATING, in_flight: bool = True, **more) -> Now:
    return Now(phase, in_flight, **{"paused": False, "parked": (), "is_due": True, **more}, since=since)


def test_nothing_is_said_while_it_is_under_way() -> None:
    assert outcome_of(OperatorAction.RESUME, now()) is None
    assert outcome_of(OperatorAction.RETRY, now(LogLine(Kind.SENT))) is None


def test_the_end_names_what_went_through() -> None:
    seen = outcome_of(OperatorAction.RESUME, now(LogLine(Kind.UNDONE, "authorise_payment"), phase=Phase.COMPENSATED))
    assert seen
    assert seen.observed is Observed.COMPENSATED
    assert seen.sentence == "authorise_payment is undone. The saga is compensated."


@pytest.mark.parametrize(
    ("kind", "observed", "said"),
    [
        (Kind.FAILED, Observed.FAILED_AGAIN, "capture_payment failed again: GatewayTimeout: no answer."),
        (Kind.PARKED, Observed.PARKED_AGAIN, "capture_payment is parked: GatewayTimeout: no answer."),
        (Kind.WAITING, Observed.WAITS, "capture_payment was not tried: GatewayTimeout: no answer."),
        (Kind.QUEUED, Observed.WAITS, "capture_payment waits for a lock."),
    ],
)
def test_bad_news_is_reported_at_once(kind, observed, said) -> None:
    seen = outcome_of(
        OperatorAction.RESUME, now(LogLine(kind, "capture_payment", TIMEOUT), phase=Phase.FINISHING, in_flight=False)
    )
    assert seen
    assert (seen.observed, seen.sentence) == (observed, said)


def test_what_ends_with_a_full_stop_gets_no_second_one() -> None:
    declined = LogLine(Kind.PARKED, "capture_payment", {"code": "card_declined", "detail": "The card was declined."})
    seen = outcome_of(OperatorAction.RESUME, now(declined, phase=Phase.FINISHING, in_flight=False))
    assert seen
    assert seen.sentence == "capture_payment is parked: card_declined: The card was declined."


def test_failure_that_was_overcome_since_is_no_news() -> None:
    seen = outcome_of(
        OperatorAction.RETRY, now(LogLine(Kind.FAILED, "a", TIMEOUT), LogLine(Kind.UNDONE, "a"), in_flight=False)
    )
    assert seen
    assert seen.observed is Observed.WENT_ON


def test_the_pivot_may_have_been_faster_than_the_bar() -> None:
    seen = outcome_of(OperatorAction.CANCEL, now(LogLine(Kind.PIVOT_DONE, "place_order"), phase=Phase.FINISHING))
    assert seen
    assert seen.observed is Observed.TOO_LATE
    assert outcome_of(OperatorAction.RESUME, now(phase=Phase.FINISHING)) is None


@pytest.mark.parametrize("kind", [Kind.RESUMED, Kind.PAUSED, Kind.UNPAUSED, Kind.SETTLED, Kind.RETRIED])
def test_somebody_else_may_have_been_there_since(kind) -> None:
    seen = outcome_of(OperatorAction.RESUME, now(LogLine(kind, detail={"by": "bob"})))
    assert seen
    assert seen.observed is Observed.OVERTAKEN
    assert "bob" in seen.sentence


def test_customer_who_gives_up_overtakes_nobody() -> None:
    assert (
        outcome_of(OperatorAction.RETRY, now(LogLine(Kind.GAVE_UP, detail={"code": "cancelled"}), phase=Phase.BARRING))
        is None
    )


def test_paused_is_seen_at_once() -> None:
    seen = outcome_of(OperatorAction.PAUSE, now(paused=True, is_due=False, phase=Phase.RUNNING))
    assert seen
    assert seen.observed is Observed.PAUSED
    assert "may still report" in seen.sentence


def test_settled_saga_that_waits_for_a_person_elsewhere_is_reported_so() -> None:
    seen = outcome_of(OperatorAction.SETTLE, now(in_flight=False, is_due=False, parked=("reserve_stock",)))
    assert seen
    assert (seen.observed, seen.sentence) == (Observed.SETTLED, "reserve_stock is still parked.")


def test_unpaused_saga_that_is_due_is_waited_for() -> None:
    assert outcome_of(OperatorAction.UNPAUSE, now(in_flight=False, phase=Phase.RUNNING)) is None
