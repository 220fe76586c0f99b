"""Figures as one table: pure."""

from collections.abc import Mapping, Sequence

from deploy.bench.figures import Figures

SHOWN_FROM_MS = 0.005
"""Columns of parts that cost less than this are left out."""


def table(rows: Mapping[str, Figures]) -> str:
    """Format the figures as a table: one row each, with a column for every part that costs something.

    CPU is per order. "others" are the cores that other processes on this machine used.
    """
    parts = _parts(list(rows.values()))
    head = [
        "",
        "orders/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "CPU ms",
        *(f"- {part}" for part in parts),
        "commits",
        "others",
        "ends",
    ]
    return lay_out([head, *(_row(name, figures, parts) for name, figures in rows.items())])


def lay_out(rows: Sequence[Sequence[str]]) -> str:
    """Align the columns in Markdown: the first and the last to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    rule = [
        "-" * width if column in (0, len(widths) - 1) else "-" * (width - 1) + ":"
        for column, width in enumerate(widths)
    ]
    return "\n".join(f"| {' | '.join(_aligned(cells, widths))} |" for cells in [rows[0], rule, *rows[1:]])


def number(value: float | None, digits: int = 1) -> str:
    """Format a number, or show that there is none."""
    return "-" if value is None else f"{value:,.{digits}f}"


def _row(name: str, figures: Figures, parts: list[str]) -> list[str]:
    by_part = figures.cpu_ms_per_order_by_part or {}
    return [
        name,
        number(figures.orders_per_second),
        number(figures.p50_ms),
        number(figures.p95_ms),
        number(figures.p99_ms),
        number(figures.cpu_ms_per_order, 2),
        *(number(by_part.get(part, 0.0), 2) for part in parts),
        number(figures.commits_per_order, 2),
        number(figures.cores_of_others, 2),
        _ends(figures),
    ]


def _ends(figures: Figures) -> str:
    ends = [f"{count:,} {end}" for end, count in sorted(figures.ends.items(), key=lambda end: -end[1])]
    return ", ".join([*ends, f"{figures.unfinished:,} UNFINISHED"] if figures.unfinished else ends)


def _parts(rows: Sequence[Figures]) -> list[str]:
    every = [row.cpu_ms_per_order_by_part or {} for row in rows]
    found = dict.fromkeys(part for parts in every for part in parts)
    return [part for part in found if any(parts.get(part, 0.0) >= SHOWN_FROM_MS for parts in every)]


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    last = len(widths) - 1
    return [
        cell.ljust(width) if column in (0, last) else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
