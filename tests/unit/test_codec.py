"""Contracts survive the wire, and what does not fit one is named by its field."""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.contracts.codec import Malformed, decode, encode
from orchestration.contracts.orders import CheckoutRequested
from orchestration.contracts.values import Address, Line, Sealed
from orchestration.saga import Saga
from orchestration.sagas import definitions

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-3, minutes=-30)), timezone(timedelta(hours=14))])
st.register_type_strategy(datetime, st.datetimes(timezones=ZONES))


@dataclass(frozen=True)
class Stop:
    city: str
    nights: int = 1


@dataclass(frozen=True)
class Journey:
    """Every shape that a contract may have."""

    saga_id: UUID
    leaves_at: datetime
    stops: tuple[Stop, ...]
    tags: tuple[str, ...]
    secret: Sealed
    insured: bool
    share: float
    companion: str | None
    back_at: datetime | None = None


def contracts_of(saga: Saga) -> Iterator[type]:
    yield saga.request
    for step in saga.steps:
        yield step.action.request
        if step.action.answer:
            yield step.action.answer
        if step.compensation:
            yield step.compensation.request


CONTRACTS = [Journey, *dict.fromkeys(each for saga in definitions.values() for each in contracts_of(saga))]
JOURNEY = Journey(
    saga_id=UUID(int=7),
    leaves_at=datetime(2026, 7, 14, tzinfo=UTC),
    stops=(Stop("Turin"), Stop("Genoa", nights=3)),
    tags=("sea",),
    secret=Sealed("sealed"),
    insured=True,
    share=0.5,
    companion=None,
)
CHECKOUT = CheckoutRequested(
    order_id=UUID(int=1),
    customer_id="ada",
    idempotency_key="key",
    lines=(Line("MUG-01", 2, 999),),
    total_minor=1998,
    currency="GBP",
    payment_method=Sealed("sealed"),
    shipping_address=Address(name="Ada", line1="1 High Street", city="Leeds", postcode="LS1", country="GB"),
    placed_at=datetime(2026, 7, 14, tzinfo=UTC),
)


st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))  # JSON has neither


def wire(value: Any) -> dict[str, Any]:
    """What the other side reads."""
    return json.loads(json.dumps(encode(value)))  # type: ignore[no-any-return]


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@given(data=st.data())
@settings(max_examples=30)
def test_contract_comes_back_as_it_was(contract: type, data: st.DataObject) -> None:
    value = data.draw(st.from_type(contract))
    assert decode(contract, wire(value)) == value


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@given(data=st.data())
@settings(max_examples=30)
def test_missing_field_is_named(contract: type, data: st.DataObject) -> None:
    required = [each.name for each in fields(contract) if each.default is MISSING]
    lost = data.draw(st.sampled_from(required))
    message = wire(data.draw(st.from_type(contract)))
    del message[lost]
    with pytest.raises(Malformed, match=rf"^{contract.__name__}\.{lost} is missing$"):
        decode(contract, message)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
@given(data=st.data())
@settings(max_examples=30)
def test_field_of_another_type_is_named(contract: type, data: st.DataObject) -> None:
    spoilt = data.draw(st.sampled_from([each.name for each in fields(contract)]))
    message = wire(data.draw(st.from_type(contract))) | {spoilt: object()}
    with pytest.raises(Malformed, match=rf"^{contract.__name__}\.{spoilt} "):
        decode(contract, message)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"saga_id": "7"}, "Journey.saga_id cannot be read: '7'"),
        ({"saga_id": 7}, "Journey.saga_id cannot be read: '7'"),
        ({"leaves_at": "soon"}, "Journey.leaves_at cannot be read: 'soon'"),
        ({"leaves_at": "2026-07-14T00:00:00"}, "Journey.leaves_at cannot be read: '2026-07-14T00:00:00'"),
        ({"leaves_at": None}, "Journey.leaves_at cannot be read: 'None'"),
        ({"stops": None}, "Journey.stops is not a list"),
        ({"stops": "Turin"}, "Journey.stops is not a list"),
        ({"stops": ["Turin"]}, "Journey.stops[0] is not an object"),
        ({"stops": [{"city": "Turin"}, {"nights": 1}]}, "Journey.stops[1].city is missing"),
        ({"stops": [{"city": "Turin", "nights": "1"}]}, "Journey.stops[0].nights is not int"),
        ({"stops": [{"city": "Turin", "nights": True}]}, "Journey.stops[0].nights is not int"),
        ({"stops": [{"city": "Turin", "nights": 1.0}]}, "Journey.stops[0].nights is not int"),
        ({"tags": ["sea", None]}, "Journey.tags[1] is not str"),
        ({"secret": 1}, "Journey.secret is not str"),
        ({"insured": 1}, "Journey.insured is not bool"),
        ({"companion": 1}, "Journey.companion is not str"),
        ({"back_at": "later"}, "Journey.back_at cannot be read: 'later'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_value_of_another_type_is_named_by_its_path(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(Malformed) as refused:
        decode(Journey, wire(JOURNEY) | changes)
    assert str(refused.value) == said


@pytest.mark.parametrize("message", [None, [], "journey", 7])
def test_message_that_is_no_object_is_malformed(message: Any) -> None:
    with pytest.raises(Malformed, match=r"^Journey is not an object$"):
        decode(Journey, message)


def test_unreadable_value_is_shown_only_so_far() -> None:
    with pytest.raises(Malformed) as refused:
        decode(Journey, wire(JOURNEY) | {"saga_id": "x" * 10_000})
    assert len(str(refused.value)) < 120


def test_absent_optional_fields_take_their_defaults() -> None:
    message = wire(JOURNEY)
    del message["back_at"], message["stops"][0]["nights"]
    assert decode(Journey, message) == JOURNEY


def test_more_than_the_contract_needs_is_ignored() -> None:
    assert decode(Journey, wire(JOURNEY) | {"weather": "fine"}) == JOURNEY


def test_later_contract_is_read_out_of_what_the_saga_knows() -> None:
    line, address = decode(Line, wire(CHECKOUT)["lines"][0]), decode(Address, wire(CHECKOUT)["shipping_address"])
    assert (line, address) == (CHECKOUT.lines[0], CHECKOUT.shipping_address)
    assert dataclasses.asdict(address)["line2"] == ""
