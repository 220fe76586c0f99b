"""Contracts survive the wire, and what does not fit one is named by its field."""

import dataclasses
import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, InitVar, dataclass, field, fields
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, Literal, NewType, TypeVar
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.contracts.codec import Malformed, NotCarried, check_carried, decode, encode
from orchestration.contracts.orders import CheckoutRequested
from orchestration.contracts.values import Address, Line, Sealed
from orchestration.protocol.saga import Saga
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
        ({"share": True}, "Journey.share is not float"),
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


def test_large_fraction_that_jsonb_writes_as_a_whole_number_is_read() -> None:
    assert decode(Journey, wire(JOURNEY) | {"share": 10**16}) == dataclasses.replace(JOURNEY, share=1e16)


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


class Colour(StrEnum):
    RED = "red"


T = TypeVar("T")


@dataclass(frozen=True)
class Priced:
    price: Decimal


@dataclass(frozen=True)
class Box(Generic[T]):
    content: T


@dataclass(frozen=True)
class Tree:
    branches: tuple["Tree", ...]


@dataclass(frozen=True)
class Derived:
    units: int
    doubled: int = field(init=False, default=0)


@dataclass(frozen=True)
class Seeded:
    units: int
    seed: InitVar[int]


@dataclass(frozen=True)
class Unresolved:
    where: "Nowhere"  # type: ignore[name-defined]  # noqa: F821  the mistake


def with_field(kind: Any) -> type:
    return dataclasses.make_dataclass("Asked", [("of", kind)], frozen=True)


OF_NO_MESSAGE: dict[str, tuple[type, str]] = {
    "Decimal": (with_field(Decimal), "Asked.of is Decimal, "),
    "date": (with_field(date), "Asked.of is date, "),
    "timedelta": (with_field(timedelta), "Asked.of is timedelta, "),
    "bytes": (with_field(bytes), "Asked.of is bytes, "),
    "object": (with_field(Any), "Asked.of is "),
    "enum": (with_field(Colour), "Asked.of is Colour, "),
    "literal": (with_field(Literal["red"]), "Asked.of is Literal['red'], "),
    "list": (with_field(list[str]), "Asked.of is list[str], "),
    "dict": (with_field(dict[str, int]), "Asked.of is dict[str, int], "),
    "tuple of anything": (with_field(tuple), "Asked.of is tuple, "),
    "tuple of two": (with_field(tuple[str, int]), "Asked.of is tuple[str, int], "),
    "nothing": (with_field(None), "Asked.of is NoneType, "),
    "union": (with_field(str | int), "Asked.of is str | int, "),
    "union of three": (with_field(str | int | None), "Asked.of is str | int | None, "),
    "optional of one that is not": (with_field(Decimal | None), "Asked.of is Decimal, "),
    "tuple of one that is not": (with_field(tuple[Decimal, ...]), "Asked.of is Decimal, "),
    "NewType of one that is not": (with_field(NewType("Money", Decimal)), "Asked.of is Decimal, "),
    "nested": (with_field(Priced), "Priced.price is Decimal, "),
    "nested in a tuple": (with_field(tuple[Priced, ...]), "Priced.price is Decimal, "),
    "nested in an optional": (with_field(Priced | None), "Priced.price is Decimal, "),
    "generic": (with_field(Box[int]), "Asked.of is "),
    "generic without its type": (Box, "Box.content is ~T, "),
    "in itself": (Tree, "Tree.branches is Tree, which would contain itself"),
    "not a parameter": (Derived, "Derived cannot be made of its fields: got an unexpected keyword argument 'doubled'"),
    "a parameter more": (Seeded, "Seeded cannot be made of its fields: missing a required argument: 'seed'"),
    "name that is not there": (Unresolved, "Unresolved.where: name 'Nowhere' is not defined"),
    "no dataclass": (str, "str is not a dataclass"),
}


@pytest.mark.parametrize(("contract", "said"), OF_NO_MESSAGE.values(), ids=OF_NO_MESSAGE.keys())
def test_type_that_messages_cannot_carry_is_named_by_class_and_field(contract: type, said: str) -> None:
    with pytest.raises(NotCarried, match=f"^{re.escape(said)}"):
        check_carried(contract)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
def test_every_contract_in_use_is_carried(contract: type) -> None:
    check_carried(contract)


def test_dataclass_may_stand_in_two_places() -> None:
    check_carried(dataclasses.make_dataclass("Moved", [("out_of", Stop), ("to", Stop)], frozen=True))


def test_refusal_says_what_messages_do_carry() -> None:
    with pytest.raises(NotCarried, match=r"which messages cannot carry; they carry str, int, .* and X \| None$"):
        check_carried(Priced)
