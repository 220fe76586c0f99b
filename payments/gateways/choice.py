"""The gateway that this process uses."""

from orchestration.participant.adapters import adapter
from payments.gateways.port import Gateway


def gateway() -> Gateway:
    """Return the adapter that the setting `PAYMENT_GATEWAY` names, one per process.

    :raises BadAdapter: when there is no such class, or it does not fit the port.
    """
    return adapter(Gateway, "PAYMENT_GATEWAY")  # type: ignore[type-abstract]
