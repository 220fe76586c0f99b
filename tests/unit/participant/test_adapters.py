"""A gateway or carrier that does not fit its port is named in one line before the process does anything."""

import os
import subprocess
import sys
from abc import ABC, abstractmethod
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.bench.instant import InstantCarrier, InstantGateway
from orchestration.participant.adapters import BadAdapter
from payments.gateways.choice import gateway
from payments.gateways.port import Gateway
from payments.gateways.sandbox.gateway import SandboxGateway
from shipping.carriers.choice import carrier
from shipping.carriers.sandbox.carrier import SandboxCarrier
from tests.support.forgetful_gateway import ForgetfulGateway

ROOT = Path(__file__).resolve().parents[3]
HERE = __name__
BIN = Path(sys.executable).parent


class Empty:
    """Nothing of what the port asks for."""


class OnlyNamed(Gateway):
    """Inherits the port and does nothing of it."""


class Abstract(InstantGateway, ABC):
    @abstractmethod
    def sign(self) -> None: ...


class Unmade(InstantGateway):
    def __init__(self, api_key: str) -> None: ...


class Forever(InstantGateway):
    key_lifetime: Any = 3600


class Positional(InstantGateway):
    def void(self, authorisation_id: str, key: str) -> Any: ...  # type: ignore[override]


class Renamed(InstantGateway):
    def void(self, authorisation_id: str, *, idempotency_key: str) -> Any: ...  # type: ignore[override]


class WantsMore(InstantGateway):
    def find(self, *, key: str, reference: str, account: str) -> Any: ...  # type: ignore[override]


class Async(InstantGateway):
    async def void(self, authorisation_id: str, *, key: str) -> Any: ...  # type: ignore[override]


class NoMethod(InstantGateway):
    void: Any = "voided"


class Lenient(InstantGateway):
    """Takes more than it is asked with."""

    key_lifetime: Any = timedelta(days=1)

    def void(self, *arguments: Any, **named: Any) -> Any: ...  # type: ignore[override]


BAD = {
    "Empty": "lacks key_lifetime, authorise, capture, void, refund, find, look_up",
    "OnlyNamed": "lacks key_lifetime, authorise, capture, void, refund, find, look_up",
    "Abstract": "lacks sign",
    "Unmade": "cannot be made without arguments: missing a required argument: 'api_key'",
    "Forever": "key_lifetime is 3600, not datetime.timedelta | None",
    "Renamed": "void cannot be called with authorisation_id, key=: missing a required argument: 'idempotency_key'",
    "WantsMore": "find cannot be called with key=, reference=: missing a required argument: 'account'",
    "Async": "void is async",
    "NoMethod": "void is no method: it is 'voided'",
    "Emtpy": "is not there; did you mean Empty?",
    "HERE": f"is no class: it is {HERE!r}",
}


@pytest.mark.parametrize("name", BAD)
def test_gateway_that_does_not_fit_is_named_with_what_it_lacks(settings, name: str) -> None:
    settings.PAYMENT_GATEWAY = f"{HERE}.{name}"
    with pytest.raises(BadAdapter) as refused:
        gateway()
    assert str(refused.value) == f"SHOP_PAYMENT_GATEWAY: {HERE}.{name} {BAD[name]}"


def test_carrier_that_does_not_fit_is_named_with_what_it_lacks(settings) -> None:
    settings.CARRIER = f"{HERE}.Empty"
    with pytest.raises(BadAdapter) as refused:
        carrier()
    assert str(refused.value) == f"SHOP_CARRIER: {HERE}.Empty lacks key_lifetime, book, cancel, find, look_up"


def test_module_that_cannot_be_imported_is_named(settings, tmp_path, monkeypatch) -> None:
    (tmp_path / "needy.py").write_text("import a_library_that_is_not_installed")
    monkeypatch.syspath_prepend(tmp_path)
    settings.CARRIER = "needy.Carrier"
    with pytest.raises(BadAdapter, match=r"^SHOP_CARRIER: needy\.Carrier cannot be imported: No module named 'a_lib"):
        carrier()


@pytest.mark.parametrize("adapter", [SandboxGateway, InstantGateway, ForgetfulGateway, Lenient, Positional])
def test_gateway_that_fits_is_made_once(settings, adapter: type) -> None:
    settings.PAYMENT_GATEWAY = f"{adapter.__module__}.{adapter.__name__}"
    assert type(gateway()) is adapter
    assert gateway() is gateway()


@pytest.mark.parametrize("adapter", [SandboxCarrier, InstantCarrier])
def test_carrier_that_fits_is_made(settings, adapter: type) -> None:
    settings.CARRIER = f"{adapter.__module__}.{adapter.__name__}"
    assert type(carrier()) is adapter


MISSPELT = "shipping.carriers.sandbox.carrier.SandboxCarier"
SAID = f"setting SHOP_CARRIER: {MISSPELT} is not there; did you mean SandboxCarrier?"
DOORS = {
    "manage.py": ([sys.executable, "manage.py", "check"], 1),
    "web": ([sys.executable, "-c", "import config.wsgi"], 4),  # gunicorn starts a worker that ends so no second time
    "worker": ([str(BIN / "celery"), "-A", "config", "worker", "-P", "threads"], 1),
    "beat": ([str(BIN / "celery"), "-A", "config", "beat"], 1),
    "Flower": ([str(BIN / "celery"), "-A", "config", "flower", "--conf=deploy/flower/config.py"], 1),
}


@pytest.mark.processes
@pytest.mark.parametrize("door", DOORS)
def test_process_with_a_misspelt_class_ends_with_one_line(door: str) -> None:
    command, code = DOORS[door]
    environment = {"SHOP_DEBUG": "true", "SHOP_CARRIER": MISSPELT, "FLOWER_BASIC_AUTH": "ann:secret"}
    finished = subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = (finished.stdout + finished.stderr).splitlines()
    assert (finished.returncode, [line for line in lines if "SHOP_CARRIER" in line]) == (code, [SAID])
    assert not [line for line in lines if "Traceback" in line]
