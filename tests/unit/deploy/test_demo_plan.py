"""The orders of the demonstration: every kind occurs, and it is the same every time."""

from collections import Counter

from deploy.demo import plan

SKUS = ["DEMO-001", "DEMO-002", "DEMO-003", "DEMO-SCARCE"]


def test_the_plan_is_the_same_every_time() -> None:
    assert _plan(300) == _plan(300)


def test_every_kind_occurs_and_most_orders_are_good() -> None:
    kinds = Counter(order.kind for order in _plan(300))
    assert kinds == {"good": 231, "declined card": 21, "scarce article": 36, "carrier timeout": 9, "capture refused": 3}


def test_a_short_plan_still_has_one_of_each_kind() -> None:
    assert {order.kind for order in _plan(10)} == {kind.name for kind in plan.KINDS}


def test_only_orders_for_the_scarce_article_can_run_out() -> None:
    for order in _plan(300):
        skus = [line["sku"] for line in order.body["lines"]]
        assert skus == ["DEMO-SCARCE"] if order.kind == "scarce article" else "DEMO-SCARCE" not in skus
        assert len(skus) == len(set(skus))


def _plan(count: int) -> list[plan.Order]:
    return plan.orders(count, skus=SKUS, scarce_sku="DEMO-SCARCE")
