"""The carrier that this process uses."""

from orchestration.participant.adapters import adapter
from shipping.carriers.port import Carrier


def carrier() -> Carrier:
    """Return the adapter that the setting `CARRIER` names, one per process.

    :raises BadAdapter: when there is no such class, or it does not fit the port.
    """
    return adapter(Carrier, "CARRIER")  # type: ignore[type-abstract]
