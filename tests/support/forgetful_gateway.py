"""A gateway for workers in tests that remembers keys for only a day."""

from datetime import timedelta

from payments.gateways.sandbox.gateway import SandboxGateway


class ForgetfulGateway(SandboxGateway):
    """The sandbox gateway, except that its keys are guaranteed for only a day."""

    key_lifetime = timedelta(days=1)  # type: ignore[assignment]
