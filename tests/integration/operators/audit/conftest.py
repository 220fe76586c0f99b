"""A shop whose sagas run in this thread, and what an audit says about it."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from config import env
from orchestration.engine import dispatch
from orchestration.operators.audit.invariants import repairs
from orchestration.operators.audit.violations import violations
from tests.integration.operators.audit.courier import Courier
from tests.support.shop import Shop

Found = Callable[[str], list[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """An audit reads what is committed, on every alias."""
    marker = pytest.mark.django_db(transaction=True, databases=list(env.ALIASES))
    for item in items:
        if "/operators/audit/" in str(item.path):
            item.add_marker(marker)


@pytest.fixture
def courier(monkeypatch: pytest.MonkeyPatch) -> Courier:
    courier = Courier()
    monkeypatch.setattr(dispatch, "send", courier.send)
    return courier


@pytest.fixture
def shop(db: None, courier: Courier) -> Shop:
    """A thousand mugs."""
    shop = Shop()
    shop.stock()
    return shop


@pytest.fixture
def completed(shop: Shop, courier: Courier) -> UUID:
    """A saga of two mugs that is completed, in books that agree."""
    saga_id = shop.place(basket=[(shop.sku, 2)])
    assert courier.settle(saga_id) == "completed"
    assert violations() == []
    return saga_id


@pytest.fixture
def compensated(shop: Shop, courier: Courier) -> UUID:
    """A saga that the carrier refused, so that units and money were given back, in books that agree."""
    saga_id = shop.place(line2="carrier_refuse")
    assert courier.settle(saga_id) == "compensated"
    assert violations() == []
    return saga_id


@pytest.fixture
def found() -> Found:
    """The messages of an invariant's violations, as an audit finds them now."""
    return lambda invariant: [each.message for each in violations() if each.invariant == invariant]


@pytest.fixture
def one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repairs and changes end in this process: an audit need not wait until other clocks have passed their end."""
    monkeypatch.setattr(repairs, "CLOCKS_AGREE_WITHIN", timedelta(0))
