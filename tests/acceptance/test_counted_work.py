"""What an order costs in work that can be counted: the same on a fast machine, a slow one and a busy one.

When this fails on purpose, replace the table by the one that the failure prints, and argue for whatever has grown in
docs/performance.md.
"""

from collections.abc import Callable
from difflib import ndiff

import pytest

from tests.support.tap import Tap
from tests.support.tap_records import DatabaseUse, Recording, read_recording

COMPLETED = """
placing       statements  round trips  commits
orchestration          1            1        1
in all                 1            1        1
messages: 1 of 3079 bytes, acks: 0

working       statements  round trips  commits
inventory              9            4        1
orchestration          2            2        1
orders                 5            2        1
payments              12            7        4
shipping               6            3        2
in all                34           18        9
carrier                1            1        1
gateway                3            3        2
messages: 0 of 0 bytes, acks: 1
"""

REFUSED = """
placing       statements  round trips  commits
orchestration          1            1        1
in all                 1            1        1
messages: 1 of 3093 bytes, acks: 0

working       statements  round trips  commits
inventory             18           10        2
orchestration          4            4        2
payments              20           12        4
shipping               5            3        2
in all                47           29       10
carrier                1            1        1
gateway                4            4        2
messages: 1 of 1915 bytes, acks: 2
"""

COMPLETED_WITH_A_MESSAGE_PER_HOP = COMPLETED.replace(
    "messages: 0 of 0 bytes, acks: 1", "messages: 5 of 10602 bytes, acks: 6"
)

ORDERS = 16
AT_MOST = DatabaseUse(statements=272, round_trips=144, commits=72)
"""Of a worker for which so many orders wait, without the sandboxes: half of what they cost one by one. About 165, 90
and 42 is usual; how orders fall into batches, above all after a call to the other side, is up to chance."""

BY_THE_CLOCK = {"SHOP_RECOVERY_PERIOD_SECONDS": "3600", "SHOP_SETTLE_AFTER_SECONDS": "3600"}
"""Recovery and settling have nothing to do here, and would be heard looking whether they have."""


@pytest.fixture
def costs(shop, start_worker, workforce, tmp_path) -> Callable[..., tuple[Recording, Recording]]:
    """Places orders like that and sees them end so; gives what whoever places them has said, and what a worker."""

    def costs(end: str, *, orders: int = 1, env: dict[str, str], **asked: str) -> tuple[Recording, Recording]:
        placing, working = tmp_path / "placing", tmp_path / "working"
        with Tap(placing):
            saga_ids = [shop.place(**asked) for _ in range(orders)]
        worker = start_worker(app="tests.support.tapped_worker", env={"TAP_IN": str(working), **BY_THE_CLOCK, **env})
        assert shop.ended(*saga_ids) == [end] * orders
        workforce.wait_until_quiet()
        worker.stop()
        return read_recording(placing), read_recording(working)

    return costs


@pytest.mark.parametrize(
    ("asked", "end", "env", "table"),
    [
        ({}, "completed", {}, COMPLETED),
        ({"line2": "carrier_refuse"}, "compensated", {}, REFUSED),
        ({}, "completed", {"SHOP_GO_ON_HERE": "false"}, COMPLETED_WITH_A_MESSAGE_PER_HOP),
    ],
    ids=["completed", "refused", "completed-with-a-message-per-hop"],
)
def test_an_order_alone_costs_what_the_table_says(costs, asked: dict, end: str, env: dict, table: str):
    placing, working = costs(end, env=env, **asked)

    found = f"\n{placing.table('placing')}\n\n{working.table('working')}\n"
    if found != table:
        pytest.fail(reported(table, found, placing, working), pytrace=False)


def test_orders_that_wait_cost_a_fraction_of_as_many_alone(costs):
    placing, working = costs("completed", orders=ORDERS, env={})

    assert placing.databases == {"orchestration": DatabaseUse(statements=ORDERS, round_trips=ORDERS, commits=ORDERS)}
    assert (len(placing.sent), len(working.sent), working.acks) == (ORDERS, 0, ORDERS)
    assert working.in_all.is_within(AT_MOST), f"{working.in_all}, not at most {AT_MOST}: do orders share no statements?"


def reported(table: str, found: str, *recordings: Recording) -> str:
    changed = [line for line in ndiff(table.splitlines(), found.splitlines()) if not line.startswith(("  ", "?"))]
    statements = [f"{alias:>13}: {text}" for each in recordings for alias, text in each.statements()]
    return "\n".join(
        [
            "an order costs other work than the table in this file says",
            *("", "changed:", *changed),
            *("", "An increase must be argued for in docs/performance.md. The table as found, to put in place of it:"),
            found,
            *("statements, in order:", *statements),
        ]
    )
