"""The table that people read."""

from deploy.bench.figures import Figures
from deploy.bench.table import lay_out, number, table

BASE = Figures(
    orders=20_000,
    seconds=20.0,
    orders_per_second=1000.04,
    p50_ms=12.34,
    p95_ms=20.0,
    p99_ms=None,
    cpu_ms_per_order=4.5,
    cpu_ms_per_order_by_part={"workers": 4.499, "Redis": 0.001},
    commits_per_order=2.0,
    cores_of_others=0.05,
    ends={"compensated": 2_000, "completed": 18_000},
    unfinished=0,
)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line[1:-1].split("|")]


def test_a_row_for_each_and_a_column_for_each_part_that_costs_something() -> None:
    head, rule, base = table({"base": BASE}).splitlines()
    assert cells(head) == [
        "",
        "orders/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "CPU ms",
        "- workers",
        "commits",
        "others",
        "ends",
    ]
    assert set(rule) <= set("|-: ")
    assert cells(base)[:6] == ["base", "1,000.0", "12.3", "20.0", "-", "4.50"]
    assert cells(base)[-1] == "18,000 completed, 2,000 compensated"


def test_orders_without_an_end_cannot_be_overlooked() -> None:
    shown = table({"base": Figures(**BASE.as_json() | {"unfinished": 3})})
    assert "3 UNFINISHED" in shown


def test_columns_are_aligned() -> None:
    lines = lay_out([["", "n", "x"], ["long name", "1", "y"], ["b", "1,000", ""]]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[2] == "| long name |     1 | y |"


def test_a_number_that_is_not_there_is_a_dash() -> None:
    assert (number(None), number(1234.56), number(0.126, 2)) == ("-", "1,234.6", "0.13")
