"""Which gateway this process talks to."""

from functools import cache
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string

from payments.gateways.port import Gateway


def gateway() -> Gateway:
    """Return the adapter that the setting `PAYMENT_GATEWAY` names, one per process."""
    return _adapter(settings.PAYMENT_GATEWAY)


@cache
def _adapter(dotted_path: str) -> Gateway:
    return cast(Gateway, import_string(dotted_path)())
