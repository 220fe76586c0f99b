"""A gateway that remembers keys for a day only, for workers to be started with. Only tests use it."""

from datetime import timedelta

from payments.gateways.sandbox.gateway import SandboxGateway


class ForgetfulGateway(SandboxGateway):
    """The sandbox, but nobody may rely on it after a day."""

    key_lifetime = timedelta(days=1)  # type: ignore[assignment]
