"""The plan of a replay: which orders to place and to give back, which rows of the file to skip, and why."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from deploy.replay.countries import CODES
from deploy.replay.rows import Row
from orchestration.contracts.values import Line

CURRENCY = "GBP"
MOST_LINES = 1_000
LARGEST_QUANTITY = 9_999
LONGEST_SKU = 50
NOT_GOODS = frozenset({"AMAZONFEE", "B", "BANK CHARGES", "C2", "CRUK", "D", "DOT", "M", "POST", "S"})
"""Stock codes, in upper case, of fees, postage, discounts, samples and adjustments."""


class Reason(StrEnum):
    """Why a row was neither ordered nor given back."""

    NAMES_NO_ORDER = "cancellation_names_no_order"
    NOT_ORDERED = "not_ordered_on_its_invoice"
    NOT_NEGATIVE = "quantity_not_negative"
    UNREADABLE = "unreadable"
    NOT_GOODS = "not_goods"
    NO_QUANTITY = "quantity_not_positive"
    LARGE_QUANTITY = "quantity_above_9999"
    NO_PRICE = "price_not_positive"
    FRACTION_OF_A_PENNY = "price_has_a_fraction_of_a_penny"
    UNKNOWN_COUNTRY = "unknown_country"
    TOO_MANY_LINES = "order_above_1000_lines"


@dataclass(frozen=True)
class Skipped:
    """A row that is neither ordered nor given back."""

    row: Row
    reason: Reason


@dataclass(frozen=True)
class Bought:
    """A row that is ordered."""

    row: Row
    quantity: int
    price_minor: int
    country: str


@dataclass(frozen=True)
class Article:
    """One article that the catalogue must have."""

    sku: str
    name: str
    price_minor: int


@dataclass(frozen=True)
class Invoice:
    """One order to place; `customer` is empty for a guest, `country` is ISO 3166-1 alpha-2."""

    number: str
    customer: str
    country: str
    lines: tuple[Line, ...]

    @property
    def total_minor(self) -> int:
        return sum(line.total_minor for line in self.lines)


@dataclass(frozen=True)
class CancellationInvoice:
    """Units of an order to give back. Its number is "C" and that of the order, such as C536365."""

    number: str
    order: Invoice
    lines: tuple[Line, ...]

    @property
    def total_minor(self) -> int:
        """What it adds to the file's total, in pence: below zero."""
        return -sum(line.total_minor for line in self.lines)

    @property
    def is_whole(self) -> bool:
        """Whether all units of the order are given back."""
        return units_of(self.lines) == units_of(self.order.lines)


@dataclass(frozen=True)
class Plan:
    """Everything a file asks for; `total_pence` is the sum of all its rows, the skipped ones included."""

    invoices_read: int
    rows_read: int
    total_pence: Decimal
    articles: tuple[Article, ...]
    invoices: tuple[Invoice, ...]
    cancellations: tuple[CancellationInvoice, ...]
    skipped: tuple[Skipped, ...]

    @property
    def units_by_sku(self) -> Mapping[str, int]:
        """Units of each SKU that all invoices together need."""
        return units_of(line for invoice in self.invoices for line in invoice.lines)


def units_of(lines: Iterable[Line]) -> Counter[str]:
    """Return the units of each SKU."""
    units: Counter[str] = Counter()
    for line in lines:
        units[line.sku] += line.quantity
    return units


def make_plan(rows: Iterable[Row], known_prices: Mapping[str, int]) -> Plan:
    """Sort rows into orders to place, units to give back, and rows to skip.

    :param known_prices: prices of SKUs in the catalogue, in pence; none of them is changed.
    """
    read = list(rows)
    judged = _without_long_orders([_judge(row) for row in read if not _is_cancellation(row)])
    bought = [item for item in judged if isinstance(item, Bought)]
    articles = _articles(bought, known_prices)
    invoices = [_invoice(lines, articles) for lines in _by_invoice(bought)]
    cancellations, refused = _cancellations(filter(_is_cancellation, read), invoices, articles)
    skipped = [*refused, *(item for item in judged if isinstance(item, Skipped))]
    return Plan(
        invoices_read=len({row.invoice for row in read}),
        rows_read=len(read),
        total_pence=sum((row.total_pence for row in read), Decimal(0)),
        articles=tuple(articles.values()),
        invoices=tuple(invoices),
        cancellations=tuple(cancellations),
        skipped=tuple(sorted(skipped, key=lambda item: item.row.number)),
    )


def _is_cancellation(row: Row) -> bool:
    return row.invoice.upper().startswith("C")


def _judge(row: Row) -> Bought | Skipped:
    if row.quantity is None or row.price_pence is None or not row.invoice or not 1 <= len(row.code) <= LONGEST_SKU:
        return Skipped(row, Reason.UNREADABLE)
    if reason := _objection(row.code, row.quantity, row.price_pence):
        return Skipped(row, reason)
    if row.country not in CODES:
        return Skipped(row, Reason.UNKNOWN_COUNTRY)
    return Bought(row, row.quantity, int(row.price_pence), CODES[row.country])


def _objection(code: str, quantity: int, price_pence: Decimal) -> Reason | None:
    if code.upper() in NOT_GOODS:
        return Reason.NOT_GOODS
    if quantity <= 0:
        return Reason.NO_QUANTITY
    if quantity > LARGEST_QUANTITY:
        return Reason.LARGE_QUANTITY
    if price_pence <= 0:
        return Reason.NO_PRICE
    return None if price_pence == int(price_pence) else Reason.FRACTION_OF_A_PENNY


def _without_long_orders(judged: Iterable[Bought | Skipped]) -> list[Bought | Skipped]:
    judged = list(judged)
    lines = Counter(item.row.invoice for item in judged if isinstance(item, Bought))
    return [
        Skipped(item.row, Reason.TOO_MANY_LINES)
        if isinstance(item, Bought) and lines[item.row.invoice] > MOST_LINES
        else item
        for item in judged
    ]


def _articles(bought: Iterable[Bought], known_prices: Mapping[str, int]) -> dict[tuple[str, int], Article]:
    """Return articles by (stock code, price in pence).

    The catalogue has one price for each SKU. The price that it already has, or else the first price of a stock code, is
    sold under that code. Each other price gets a SKU of its own, "85123A@2.95".
    """
    articles: dict[tuple[str, int], Article] = {}
    plain = dict(known_prices)
    for item in bought:
        code, pence = item.row.code, item.price_minor
        sku = code if plain.setdefault(code, pence) == pence else f"{code}@{pence // 100}.{pence % 100:02}"
        articles.setdefault((code, pence), Article(sku, item.row.description or code, pence))
    return articles


def _by_invoice(bought: Iterable[Bought]) -> Iterable[list[Bought]]:
    invoices: dict[str, list[Bought]] = {}
    for item in bought:
        invoices.setdefault(item.row.invoice, []).append(item)
    return invoices.values()


def _invoice(bought: list[Bought], articles: Mapping[tuple[str, int], Article]) -> Invoice:
    """Build an order from at least one row. The first row decides who bought it and where it goes."""
    first = bought[0]
    lines = (Line(articles[item.row.code, item.price_minor].sku, item.quantity, item.price_minor) for item in bought)
    return Invoice(first.row.invoice, first.row.customer, first.country, tuple(lines))


def _cancellations(
    rows: Iterable[Row], invoices: Iterable[Invoice], articles: Mapping[tuple[str, int], Article]
) -> tuple[list[CancellationInvoice], list[Skipped]]:
    """Return the cancellations of orders of this file, each with the rows that its order allows, and all other rows."""
    orders = {invoice.number: invoice for invoice in invoices}
    left = {number: units_of(invoice.lines) for number, invoice in orders.items()}
    given_back: dict[str, list[Line]] = {}
    skipped = []
    for row in rows:
        judged = _judge_cancelled(row, left.get(row.invoice[1:]), articles)
        if isinstance(judged, Reason):
            skipped.append(Skipped(row, judged))
            continue
        left[row.invoice[1:]][judged.sku] -= judged.quantity
        given_back.setdefault(row.invoice[1:], []).append(judged)
    return [
        CancellationInvoice(f"C{number}", orders[number], tuple(lines)) for number, lines in given_back.items()
    ], skipped


def _judge_cancelled(
    row: Row, left: Mapping[str, int] | None, articles: Mapping[tuple[str, int], Article]
) -> Line | Reason:
    """Return the units to give back, or why the row is skipped. `left`: units of its order that are left, by SKU."""
    if left is None:
        return Reason.NAMES_NO_ORDER
    if row.quantity is None or row.price_pence is None:
        return Reason.UNREADABLE
    if row.code.upper() in NOT_GOODS:
        return Reason.NOT_GOODS
    if row.quantity >= 0:
        return Reason.NOT_NEGATIVE
    article = articles.get((row.code, int(row.price_pence))) if row.price_pence == int(row.price_pence) else None
    if article is None or left.get(article.sku, 0) < -row.quantity:
        return Reason.NOT_ORDERED
    return Line(article.sku, -row.quantity, article.price_minor)
