"""Which carrier this process talks to."""

from functools import cache
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from shipping.carriers.port import Carrier


def carrier() -> Carrier:
    """Return the adapter that the setting `CARRIER` names, one per process."""
    return _adapter(settings.CARRIER)


@cache
def _adapter(dotted_path: str) -> Carrier:
    return cast(Carrier, import_string(dotted_path)())
