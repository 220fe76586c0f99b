"""A batch goes on while it works, and stops when too much of it fails."""

import pytest

from orchestration.operators.actions.batch_pacing import Pace, Tally, Verdict, verdict

PACE = Pace(canary=5, per_second=10, stop_above_percent=20)


@pytest.mark.parametrize(
    ("tally", "expected"),
    [
        (Tally(to_do=10, canary_open=5), Verdict.GO_ON),
        (Tally(to_do=8, failed=2, canary_open=3), Verdict.GO_ON),  # the canary is judged as a whole
        (Tally(to_do=5, worked=4, failed=1), Verdict.GO_ON),
        (Tally(to_do=5, worked=3, failed=2), Verdict.STOP),
        (Tally(to_do=1, under_way=9, worked=70, failed=20), Verdict.STOP),
        (Tally(under_way=1, worked=9), Verdict.GO_ON),
        (Tally(worked=9, refused=1, passed_over=3), Verdict.FINISH),
        (Tally(refused=10), Verdict.FINISH),
        (Tally(failed=2, worked=1), Verdict.STOP),
    ],
)
def test_verdict(tally: Tally, expected: Verdict) -> None:
    assert verdict(PACE, tally) is expected


@pytest.mark.parametrize("wrong", [{"canary": -1}, {"per_second": 0}, {"stop_above_percent": 101}])
def test_pace_that_cannot_be_kept_is_refused(wrong) -> None:
    with pytest.raises(ValueError, match="not a pace for a batch"):
        Pace(**wrong)
