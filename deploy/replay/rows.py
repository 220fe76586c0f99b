"""Rows of a file in the Online Retail format."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from orchestration.contracts.values import nfc

COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)


class NotOnlineRetail(ValueError):
    """The file is not in the Online Retail format; the message says what is missing."""


@dataclass(frozen=True)
class Row:
    """One line of one invoice; `number` is the line of the file it ends on, from 1, the header included.

    `quantity` and `price_pence` are None where the file holds no number.
    """

    number: int
    invoice: str
    code: str
    description: str
    quantity: int | None
    price_pence: Decimal | None
    customer: str
    country: str

    @property
    def total_pence(self) -> Decimal:
        """What the line is worth, as far as it can be read."""
        return (self.quantity or 0) * (self.price_pence or Decimal(0))


def read_rows(lines: Iterable[str]) -> Iterator[Row]:
    """Read every row, clean or not.

    :raises NotOnlineRetail: when a column is missing.
    """
    reader = csv.DictReader(lines, restval="")
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise NotOnlineRetail(f"no column {', '.join(missing)}")
    for record in reader:
        yield _row(reader.line_num, {column: (record[column] or "").strip() for column in COLUMNS})


def _row(number: int, record: dict[str, str]) -> Row:
    price = _number(record["UnitPrice"])
    quantity = _number(record["Quantity"])
    return Row(
        number=number,
        invoice=record["InvoiceNo"],
        code=nfc(record["StockCode"]),
        description=record["Description"],
        quantity=int(quantity) if quantity is not None and quantity == int(quantity) else None,
        price_pence=None if price is None else price * 100,
        customer=record["CustomerID"],
        country=record["Country"],
    )


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
