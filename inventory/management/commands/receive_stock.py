"""`manage.py receive_stock SKU UNITS`: add a delivery to what is on hand."""

from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand
from django.template.defaultfilters import pluralize

from inventory.services import receive_stock


def whole_units(text: str) -> int:
    """Read a number of units.

    :raises ArgumentTypeError: when it is not a whole number above zero.
    """
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)


class Command(BaseCommand):
    help = "Add delivered units of one SKU to what is on hand."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("sku")
        parser.add_argument("units", type=whole_units)

    def handle(self, *args: Any, sku: str, units: int, **options: Any) -> None:
        receive_stock(units_by_sku={sku: units})
        self.stdout.write(f"{units} unit{pluralize(units)} of {sku} received")
