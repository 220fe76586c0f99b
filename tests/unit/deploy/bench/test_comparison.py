"""What is demanded of this shop beside its peers."""

from dataclasses import replace

import pytest

from deploy.bench.figures import Figures
from deploy.peers.__main__ import main
from deploy.peers.comparison import DEMANDS, Demand, Found, compare, comparison_table

FIGURES = Figures(
    orders=1,
    seconds=1.0,
    orders_per_second=100.0,
    p50_ms=10.0,
    p95_ms=20.0,
    p99_ms=30.0,
    cpu_ms_per_order=4.0,
    cpu_ms_per_order_by_part=None,
    commits_per_order=None,
    cores_of_others=None,
    ends={},
    unfinished=0,
)


def measured(rate: float, p50_ms: float | None = 10.0) -> dict[str, Figures]:
    """The same in every variant."""
    figures = replace(FIGURES, orders_per_second=rate, p50_ms=p50_ms)
    return dict.fromkeys(("base", "low", "load", "declines", "hot"), figures)


def found(says: str, rounds: list[dict[str, dict[str, Figures]]]) -> Found:
    return next(each for each in compare(rounds) if each.demand.says == says)


def test_the_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    rates = [(400.0, 100.0), (100.0, 100.0), (90.0, 30.0)]  # the machine is slow in the last round, for both
    rounds = [{"ours": measured(ours), "restate": measured(theirs)} for ours, theirs in rates]
    assert found("orders/s, ours / Restate", rounds).value == pytest.approx(3.0)


def test_a_peer_that_was_not_measured_is_not_judged() -> None:
    missing = found("orders/s, ours / DBOS", [{"ours": measured(100.0)}])
    assert (missing.value, missing.is_met) == (None, None)
    assert "not measured" in comparison_table([missing])


def test_a_peer_without_a_single_order_is_not_divided_by() -> None:
    rounds = [{"ours": measured(100.0), "restate": measured(0.0, p50_ms=None)}]
    assert found("orders/s, ours / Restate", rounds).value is None
    assert found("p50 at 10/s, ours / Restate", rounds).value is None


def test_variants_are_held_against_base() -> None:
    ours = measured(100.0) | {"hot": replace(FIGURES, orders_per_second=79.0)}
    hot = found("orders/s, ours with one SKU / ours", [{"ours": ours}])
    assert hot.value == pytest.approx(0.79)
    assert hot.is_met is False
    assert "MISSED" in comparison_table([hot])


@pytest.mark.parametrize(
    ("demand", "value", "met"),
    [
        (Demand("more", lambda _: None, at_least=2.0), 2.0, True),
        (Demand("more", lambda _: None, at_least=2.0), 1.99, False),
        (Demand("less", lambda _: None, at_most=0.75), 0.75, True),
        (Demand("less", lambda _: None, at_most=0.75), 0.76, False),
        (Demand("nothing", lambda _: None), 0.0, True),
    ],
)
def test_a_bound_is_met_when_it_is_reached(demand: Demand, value: float, met: bool) -> None:
    assert Found(demand, value).is_met is met


def test_every_demand_says_something_else() -> None:
    assert len({demand.says for demand in DEMANDS}) == len(DEMANDS)


def test_an_unknown_peer_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--peers", "temporal"])
    assert "'temporal' is none of restate, dbos, chain" in capsys.readouterr().err
