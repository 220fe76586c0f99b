"""`manage.py saga resolve` and `settle`: a person's word goes where nobody can be asked, and nowhere else."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db.models import Model
from django.test import Client

from config import env
from orchestration.engine import selectors
from orchestration.participant.ledger import Status
from orchestration.participant.outcomes import Done, Refused
from orchestration.protocol.states import Undo
from payments.gateways.sandbox.models import Operation as GatewayOperation
from payments.models import Ledger as PaymentsLedger
from payments.models import Payment
from shipping.models import Ledger as ShippingLedger
from shipping.models import Shipment
from tests.integration.admin.situations import Post, Situations
from tests.integration.admin.unknown import Unknown
from tests.support.shop import forward_from
from tests.support.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))

WHO, WHY, EVIDENCE = "ada", "the gateway forgot the key", "statement 7, line 12"
WORD = ("--by", WHO, "--reason", WHY, "--evidence", EVIDENCE, "--yes")
GROUNDS = {"by": WHO, "reason": WHY, "evidence": EVIDENCE}

Saga = Callable[..., Any]


@pytest.fixture
def saga(capsys: pytest.CaptureFixture[str]) -> Saga:
    """Run `manage.py saga … --format json`; what it prints, read."""

    def run(*arguments: object) -> Any:
        capsys.readouterr()
        call_command("saga", *map(str, arguments), "--format", "json")
        return json.loads(capsys.readouterr().out)

    return run


def row(ledger: type[Model], saga_id: UUID, step: str) -> Any:
    return ledger._default_manager.get(saga_id=saga_id, step=step)


def resumed(saga_id: UUID) -> str:
    """Why, as the log has it."""
    [why] = [entry.detail["reason"] for entry in selectors.log_of(saga_id) if entry.kind == "resumed"]
    return why


def test_the_admin_shows_no_secret_of_an_open_row_not_even_encrypted(admin_client: Client, unknown: Unknown) -> None:
    asked = row(PaymentsLedger, unknown.authorisation(), "authorise_payment")
    page = admin_client.get(f"/admin/payments/ledger/{asked.pk}/change/").content.decode()
    assert "authorise_payment" in page
    assert asked.request["payment_method"] not in page
    assert "payment_method" not in page


def refused(saga: Saga, *arguments: object, code: int = 5) -> str:
    with pytest.raises(CommandError) as error:
        saga("resolve", *arguments, *WORD)
    assert error.value.returncode == code
    return str(error.value)


def test_done_writes_the_payment_and_has_the_saga_go_on(saga: Saga, unknown: Unknown, post: Post) -> None:
    saga_id = unknown.authorisation()
    post.sent.clear()

    made = saga(
        "resolve", saga_id, "authorise_payment", "--outcome", "done", "--fact", "authorisation_id=auth_7", *WORD
    )

    assert (made["was"], made["status"], made["saga"]) == ("started", "done", "resumed")
    assert post.sent == [(saga_id, forward_from("authorise_payment"))]
    assert Payment.objects.get().authorisation_id == "auth_7"
    kept = row(PaymentsLedger, saga_id, "authorise_payment")
    assert kept.history == [Status.STARTED, Status.DONE]
    assert kept.answer == {"authorisation_id": "auth_7", "authorise_payment_resolved": GROUNDS}
    again = unknown.again(saga_id, "authorise_payment")
    assert isinstance(again, Done)
    assert again.answer["authorisation_id"] == "auth_7"
    assert resumed(saga_id) == f"authorise_payment resolved as done: {WHY}; evidence: {EVIDENCE}"


def test_not_done_is_a_refusal_that_names_its_grounds(saga: Saga, unknown: Unknown, post: Post) -> None:
    saga_id = unknown.authorisation()

    saga("resolve", saga_id, "authorise_payment", "--outcome", "not-done", *WORD)

    kept = row(PaymentsLedger, saga_id, "authorise_payment")
    assert kept.history == [Status.STARTED, Status.REFUSED]
    assert kept.refusal == {"code": "resolved_not_done", "detail": "It was not done.", "facts": GROUNDS}
    assert unknown.again(saga_id, "authorise_payment") == Refused(kept.refusal)
    assert not Payment.objects.exists()
    assert not GatewayOperation.objects.exists()


def test_undone_closes_a_hold_that_was_written_down(saga: Saga, unknown: Unknown, post: Post) -> None:
    saga_id = unknown.refund()
    held = Payment.objects.get().authorisation_id
    post.sent.clear()

    saga("resolve", saga_id, "authorise_payment", "--outcome", "undone", "--fact", "status=voided", *WORD)

    kept = row(PaymentsLedger, saga_id, "authorise_payment")
    assert kept.history == [Status.STARTED, Status.DONE, Status.UNDOING, Status.UNDONE]
    assert kept.answer == {"authorisation_id": held, "authorise_payment_resolved": GROUNDS}
    assert Payment.objects.get().status == "voided"
    assert [command for _, command in post.sent] == [Undo(("schedule_shipment", "authorise_payment"))]


@pytest.mark.parametrize(
    ("facts", "payment"),
    [
        (["status=nothing_held"], None),
        (["status=voided", "authorisation_id=auth_7"], ("voided", None, None)),
        (
            ["status=refunded", "authorisation_id=auth_7", "capture_id=cap_1", "refund_id=ref_1"],
            ("refunded", "cap_1", "ref_1"),
        ),
    ],
)
def test_undone_tells_what_became_of_a_hold_never_written_down(
    facts: list[str], payment: tuple | None, saga: Saga, unknown: Unknown
) -> None:
    saga_id = unknown.refund("tok_timeout_before")

    reported = [word for fact in facts for word in ("--fact", fact)]
    saga("resolve", saga_id, "authorise_payment", "--outcome", "undone", *reported, *WORD)

    assert row(PaymentsLedger, saga_id, "authorise_payment").status == Status.UNDONE
    assert Payment.objects.values_list("status", "capture_id", "refunds__gateway_id").first() == payment


def test_a_capture_made_by_hand_ends_the_wait(saga: Saga, unknown: Unknown, post: Post) -> None:
    saga_id = unknown.capture()
    post.sent.clear()
    assert "must still happen" in refused(saga, saga_id, "capture_payment", "--outcome", "not-done")

    saga("resolve", saga_id, "capture_payment", "--outcome", "done", "--fact", "capture_id=cap_7", *WORD)

    assert Payment.objects.get().capture_id == "cap_7"
    assert [command for _, command in post.sent] == [forward_from("capture_payment")]


def test_a_parcel_is_reported_by_its_number(saga: Saga, unknown: Unknown) -> None:
    saga_id = unknown.shipment()

    saga("resolve", saga_id, "schedule_shipment", "--outcome", "done", "--fact", "tracking_number=P7", *WORD)

    assert Shipment.objects.get().tracking_number == "P7"
    assert row(ShippingLedger, saga_id, "schedule_shipment").status == Status.DONE


@pytest.mark.parametrize(
    ("line2", "facts", "shipment"),
    [
        ("carrier_cancel_fail_1", {"status": "cancelled"}, "cancelled"),
        ("carrier_timeout_before", {"status": "nothing_booked"}, None),
        ("carrier_timeout_before", {"status": "cancelled", "tracking_number": "P7"}, "cancelled"),
    ],
)
def test_a_cancelled_parcel_is_reported(
    line2: str, facts: dict[str, str], shipment: str | None, saga: Saga, unknown: Unknown
) -> None:
    saga_id = unknown.cancellation(line2)

    reported = [word for name, fact in facts.items() for word in ("--fact", f"{name}={fact}")]
    saga("resolve", saga_id, "schedule_shipment", "--outcome", "undone", *reported, *WORD)

    assert row(ShippingLedger, saga_id, "schedule_shipment").status == Status.UNDONE
    assert Shipment.objects.values_list("status", flat=True).first() == shipment


STARTED, UNDOING = "authorisation", "refund"


@pytest.mark.parametrize(
    ("situation", "outcome", "facts", "why"),
    [
        (STARTED, "undone", [], "is started: only what is undoing can be undone"),
        (UNDOING, "done", [], "is undoing: only what is started can be done"),
        (UNDOING, "not-done", [], "is undoing: only what is started can be not-done"),
        (STARTED, "done", [], "authorisation_id is missing.* wants authorisation_id: The gateway's id"),
        (STARTED, "done", ["authorisation_id= "], "authorisation_id is missing"),
        (STARTED, "done", ["authorisation_id=a", "colour=red"], "colour is not asked for.* wants authorisation_id"),
        (STARTED, "not-done", ["authorisation_id=a"], "has no facts, such as authorisation_id"),
        (UNDOING, "undone", [], "status is missing.* wants status, and may have authorisation_id"),
        (UNDOING, "undone", ["status=gone"], "status is not one of refunded, voided, nothing_held"),
        (UNDOING, "undone", ["status=nothing_held"], "was held"),
        (UNDOING, "undone", ["status=voided", "authorisation_id=other"], "authorisation_id is .* in our books"),
        (UNDOING, "undone", ["status=voided", "capture_id=c"], "capture_id goes with refunded"),
        (UNDOING, "undone", ["status=refunded", "capture_id=c"], "refund_id goes with refunded"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_changes_nothing(
    situation: str, outcome: str, facts: list[str], why: str, saga: Saga, unknown: Unknown, post: Post
) -> None:
    saga_id = getattr(unknown, situation)()
    before, log = row(PaymentsLedger, saga_id, "authorise_payment"), selectors.log_of(saga_id)
    post.sent.clear()

    reported = [word for fact in facts for word in ("--fact", fact)]
    said = refused(saga, saga_id, "authorise_payment", "--outcome", outcome, *reported)

    assert re.search(why, said, re.DOTALL)
    after = row(PaymentsLedger, saga_id, "authorise_payment")
    assert (after.history, after.changed_at) == (before.history, before.changed_at)
    assert selectors.log_of(saga_id) == log
    assert post.sent == []


def test_an_authorisation_that_was_never_written_down_must_be_named(saga: Saga, unknown: Unknown) -> None:
    saga_id = unknown.refund("tok_timeout_before")
    said = refused(saga, saga_id, "authorise_payment", "--outcome", "undone", "--fact", "status=voided")
    assert "authorisation_id is missing" in said


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (["status=nothing_booked"], "was booked"),
        (["status=lost"], "status is neither cancelled nor nothing_booked"),
        (["status=cancelled", "tracking_number=P7"], "tracking_number is .* in our books"),
    ],
)
def test_a_parcel_in_our_books_is_not_talked_away(facts: list[str], why: str, saga: Saga, unknown: Unknown) -> None:
    saga_id = unknown.cancellation()
    reported = [word for fact in facts for word in ("--fact", fact)]
    assert re.search(why, refused(saga, saga_id, "schedule_shipment", "--outcome", "undone", *reported))


def test_another_sagas_authorisation_is_refused_by_the_rule_it_breaks(saga: Saga, unknown: Unknown) -> None:
    first, second = unknown.authorisation(), unknown.authorisation()
    word = ("authorise_payment", "--outcome", "done", "--fact", "authorisation_id=auth_7")
    saga("resolve", first, *word, *WORD)

    assert "payment_authorisation_belongs_to_one_saga" in refused(saga, second, *word)

    assert row(PaymentsLedger, second, "authorise_payment").status == Status.STARTED


def test_what_is_settled_is_not_settled_again(saga: Saga, unknown: Unknown) -> None:
    saga_id = unknown.authorisation()
    saga("resolve", saga_id, "authorise_payment", "--outcome", "not-done", *WORD)
    assert "is refused, not open" in refused(saga, saga_id, "authorise_payment", "--outcome", "not-done")


def test_what_is_not_there_is_code_3(saga: Saga, unknown: Unknown) -> None:
    saga_id = unknown.authorisation()
    refused(saga, uuid4(), "authorise_payment", "--outcome", "not-done", code=3)
    refused(saga, saga_id, "schedule_shipment", "--outcome", "not-done", code=3)


@pytest.mark.parametrize("arguments", ["--fact nothing", "--fact =x", "--outcome perhaps"])
def test_wrong_usage_is_refused_before_anything_is_looked_at(arguments: str, saga: Saga) -> None:
    with pytest.raises(CommandError):
        saga("resolve", uuid4(), "authorise_payment", "--outcome", "done", *arguments.split(), *WORD)


def test_a_dry_run_says_what_would_become_of_it_and_changes_nothing(saga: Saga, unknown: Unknown, post: Post) -> None:
    saga_id = unknown.authorisation()
    log = selectors.log_of(saga_id)
    post.sent.clear()
    word = ("authorise_payment", "--outcome", "done", "--fact", "authorisation_id=auth_7")

    made = saga("resolve", saga_id, *word, "--dry-run", *WORD)

    assert (made["status"], made["saga"], made["dry_run"]) == ("done", None, True)
    assert row(PaymentsLedger, saga_id, "authorise_payment").history == [Status.STARTED]
    assert not Payment.objects.exists()
    assert selectors.log_of(saga_id) == log
    assert post.sent == []
    assert saga("resolve", saga_id, *word, *WORD)["dry_run"] is False


def test_a_word_given_while_the_broker_is_away_stands_and_is_sent_later(
    saga: Saga, unknown: Unknown, post: Post, situations: Situations
) -> None:
    saga_id = unknown.authorisation()
    post.takes = False

    made = saga("resolve", saga_id, "authorise_payment", "--outcome", "not-done", *WORD)

    assert made["saga"] == "not_sent"
    assert row(PaymentsLedger, saga_id, "authorise_payment").status == Status.REFUSED
    assert situations.shop.saga(saga_id).due_at is not None


def test_two_people_at_once_settle_it_once(unknown: Unknown) -> None:
    saga_id = unknown.authorisation()
    words = (["--outcome", "not-done"], ["--outcome", "done", "--fact", "authorisation_id=auth_7"])

    ends = at_once(
        4, lambda number: call_command("saga", "resolve", str(saga_id), "authorise_payment", *words[number % 2], *WORD)
    )

    assert sorted(getattr(end, "returncode", 0) for end in ends) == [0, 5, 5, 5]
    assert len(row(PaymentsLedger, saga_id, "authorise_payment").history) == 2


def test_the_table_says_it_too(unknown: Unknown, capsys: pytest.CaptureFixture[str]) -> None:
    saga_id = unknown.authorisation()
    call_command("saga", "resolve", str(saga_id), "authorise_payment", "--outcome", "not-done", *WORD)
    assert capsys.readouterr().out.split()[-5:] == [str(saga_id), "authorise_payment", "started", "refused", "resumed"]


def test_the_help_lists_every_fact_and_says_what_a_wrong_word_costs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command("saga", "resolve", "--help")
    reported = capsys.readouterr().out
    for wanted in ("authorisation_id", "capture_id", "refund_id", "tracking_number", "manage.py audit reports it"):
        assert wanted in reported


def test_settle_asks_now_and_counts(saga: Saga, unknown: Unknown) -> None:
    known, not_known = unknown.authorisation("tok_timeout_after"), unknown.authorisation()
    PaymentsLedger.objects.update(changed_at=datetime.now(UTC) - timedelta(minutes=2))

    rounds = saga("ask-outside")

    assert rounds == {
        "payments": {"settled": 1, "unknown": 1, "failed": 0},
        "shipping": {"settled": 0, "unknown": 0, "failed": 0},
    }
    assert row(PaymentsLedger, known, "authorise_payment").status == Status.DONE
    assert row(PaymentsLedger, not_known, "authorise_payment").status == Status.STARTED
    assert saga("ask-outside", "--service", "shipping") == {"shipping": {"settled": 0, "unknown": 0, "failed": 0}}
