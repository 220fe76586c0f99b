"""What commands make of what came of operators' actions."""

from datetime import UTC, datetime

import pytest
from django.core.management.base import CommandError

from orchestration.management.exit_codes import Exit
from orchestration.management.outcome_wait import judge_outcomes
from orchestration.models import OperatorLogEntry

SEEN_AT = datetime(2026, 7, 14, tzinfo=UTC)


def entry(observed: str, *, seen: bool = True) -> OperatorLogEntry:
    return OperatorLogEntry(observed=observed, observed_at=SEEN_AT if seen else None)


def code_of(*entries: OperatorLogEntry) -> int:
    with pytest.raises(CommandError) as error:
        judge_outcomes(list(entries))
    return error.value.returncode


def test_what_went_well_is_no_error() -> None:
    judge_outcomes([entry("completed"), entry("went_on"), entry("compensated"), entry("paused")])


@pytest.mark.parametrize("observed", ["failed_again", "parked_again", "waits", "too_late"])
def test_one_that_did_not_go_well_is_code_4(observed: str) -> None:
    assert code_of(entry("completed"), entry(observed)) == Exit.SOME_FAILED


def test_what_nobody_has_seen_yet_is_code_6_unless_something_failed() -> None:
    assert code_of(entry("completed"), entry("open", seen=False)) == Exit.TIMED_OUT
    assert code_of(entry("failed_again"), entry("open", seen=False)) == Exit.SOME_FAILED
