"""Contracts survive the wire, and what does not fit one is named by its field."""

import dataclasses
import json
import re
from collections.abc import Iterator
from dataclasses import InitVar, dataclass, field, fields
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, Generic, Literal, NewType, TypeVar
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.contracts.codec import Malformed, NotCarried, check_carried, decode, encode
from orchestration.contracts.command import required_fields
from orchestration.contracts.orders import CheckoutRequested
from orchestration.contracts.values import Address, Encrypted, Line
from orchestration.protocol.saga import Saga
from orchestration.sagas import definitions

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-3, minutes=-30)), timezone(timedelta(hours=14))])
st.register_type_strategy(datetime, st.datetimes(timezones=ZONES))
st.register_type_strategy(Decimal, st.decimals(allow_nan=False))


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Deck(IntEnum):
    LOWER = 1
    UPPER = 2


@dataclass(frozen=True)
class Stop:
    city: str
    nights: int = 1


@dataclass(frozen=True)
class Guide:
    id: UUID


@dataclass(frozen=True)
class Journey:
    """Every shape that a contract may have."""

    saga_id: UUID
    leaves_at: datetime
    stops: tuple[Stop, ...]
    tags: tuple[str, ...]
    secret: Encrypted
    insured: bool
    share: float
    companion: str | None
    price: Decimal
    born_on: date
    colour: Colour
    deck: Deck
    class_: Literal["first", "second", 3]
    meals: list[str]
    ratings: dict[str, Stop]
    seat: int | str | None
    calls_at: list[datetime]
    back_at: datetime | None = None
    extras: list[str] = field(default_factory=list)
    guides: dict[str, Guide] = field(default_factory=dict)


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
    secret=Encrypted("sealed"),
    insured=True,
    share=0.5,
    companion=None,
    price=Decimal("19.90"),
    born_on=date(2000, 2, 29),
    colour=Colour.RED,
    deck=Deck.UPPER,
    class_="first",
    meals=["soup"],
    ratings={"Genoa": Stop("Genoa")},
    seat="7A",
    calls_at=[datetime(2026, 7, 14, tzinfo=UTC)],
)
CHECKOUT = CheckoutRequested(
    order_id=UUID(int=1),
    customer_id="ada",
    idempotency_key="key",
    lines=(Line("MUG-01", 2, 999),),
    total_minor=1998,
    currency="GBP",
    payment_method=Encrypted("sealed"),
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
    required = required_fields(contract)
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
        ({"saga_id": "\ud800"}, "Journey.saga_id cannot be read: '?'"),
        ({"leaves_at": "2026-07-14T00:00:00\ud800"}, "Journey.leaves_at cannot be read: '2026-07-14T00:00:00?'"),
        ({"colour": "\udc00red"}, "Journey.colour cannot be read: '?red'"),
        ({"share": 10**400}, f"Journey.share cannot be read: '1{'0' * 59}'"),
        ({"share": "0.5"}, "Journey.share is not float"),
        ({"price": "cheap"}, "Journey.price cannot be read: 'cheap'"),
        ({"price": None}, "Journey.price cannot be read: 'None'"),
        ({"price": True}, "Journey.price cannot be read: 'True'"),
        ({"born_on": "2000-02-30"}, "Journey.born_on cannot be read: '2000-02-30'"),
        ({"born_on": "2000-02-28T00:00:00Z"}, "Journey.born_on cannot be read: '2000-02-28T00:00:00Z'"),
        ({"born_on": 0}, "Journey.born_on cannot be read: '0'"),
        ({"colour": "RED"}, "Journey.colour cannot be read: 'RED'"),
        ({"colour": 1}, "Journey.colour is not str"),
        ({"deck": 3}, "Journey.deck cannot be read: '3'"),
        ({"deck": True}, "Journey.deck is not int"),
        ({"deck": "1"}, "Journey.deck is not int"),
        ({"class_": "third"}, "Journey.class_ cannot be read: 'third'"),
        ({"class_": True}, "Journey.class_ is not int | str"),
        ({"class_": 3.0}, "Journey.class_ is not int | str"),
        ({"meals": "soup"}, "Journey.meals is not a list"),
        ({"meals": ["soup", 1]}, "Journey.meals[1] is not str"),
        ({"ratings": []}, "Journey.ratings is not an object"),
        ({"ratings": {"Genoa": {"nights": 1}}}, "Journey.ratings[...].city is missing"),
        (
            {"guides": {"Genoa": {"id": "7"}}},
            "Journey.guides[...].id cannot be read: \"{'Genoa': {'id': '7'}}\"",
        ),
        ({"seat": True}, "Journey.seat is not int | str"),
        ({"seat": 7.0}, "Journey.seat is not int | str"),
        ({"calls_at": ["2026-07-14T00:00:00"]}, "Journey.calls_at[0] cannot be read: '2026-07-14T00:00:00'"),
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


def test_value_nested_too_deep_to_be_shown_is_malformed() -> None:
    nested: list[Any] = []
    for _ in range(5_000):
        nested = [nested]
    with pytest.raises(Malformed, match=r"^Journey\.saga_id cannot be read: 'a list nested too deep'$"):
        decode(Journey, wire(JOURNEY) | {"saga_id": nested})


def test_unreadable_value_is_shown_only_so_far() -> None:
    with pytest.raises(Malformed) as refused:
        decode(Journey, wire(JOURNEY) | {"saga_id": "x" * 10_000})
    assert len(str(refused.value)) < 120


def test_absent_optional_fields_take_their_defaults() -> None:
    message = wire(JOURNEY)
    del message["back_at"], message["extras"], message["guides"], message["stops"][0]["nights"]
    assert decode(Journey, message) == JOURNEY


def test_more_than_the_contract_needs_is_ignored() -> None:
    assert decode(Journey, wire(JOURNEY) | {"weather": "fine"}) == JOURNEY


def test_later_contract_is_read_out_of_what_the_saga_knows() -> None:
    line, address = decode(Line, wire(CHECKOUT)["lines"][0]), decode(Address, wire(CHECKOUT)["shipping_address"])
    assert (line, address) == (CHECKOUT.lines[0], CHECKOUT.shipping_address)
    assert dataclasses.asdict(address)["line2"] == ""


class Ambiguous(Enum):
    ONE = 1
    TWO = "two"


class Opaque:
    pass


T = TypeVar("T")


@dataclass(frozen=True)
class Timed:
    takes: timedelta


@dataclass(frozen=True)
class Room:
    number: int


@dataclass(frozen=True)
class Torn:
    at: Stop | Room


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
    "timedelta": (with_field(timedelta), "Asked.of is timedelta, "),
    "bytes": (with_field(bytes), "Asked.of is bytes, "),
    "anything": (with_field(Any), "Asked.of is "),
    "object": (with_field(object), "Asked.of is object, "),
    "plain class": (with_field(Opaque), "Asked.of is Opaque, "),
    "set": (with_field(set[object]), "Asked.of is set[object], "),
    "set of texts": (with_field(set[str]), "Asked.of is set[str], "),
    "list of anything": (with_field(list), "Asked.of is list, "),
    "list of one that is not": (with_field(list[Any]), "Asked.of is Any, "),
    "dict of anything": (with_field(dict), "Asked.of is dict, "),
    "dict of numbers": (with_field(dict[int, str]), "Asked.of is dict[int, str], "),
    "dict of one that is not": (with_field(dict[str, Opaque]), "Asked.of is Opaque, "),
    "tuple of anything": (with_field(tuple), "Asked.of is tuple, "),
    "tuple of two": (with_field(tuple[str, int]), "Asked.of is tuple[str, int], "),
    "nothing": (with_field(None), "Asked.of is NoneType, "),
    "enum of two types": (with_field(Ambiguous), "Asked.of is Ambiguous, which messages cannot carry: Enums must "),
    "literal fraction": (
        with_field(Literal[1.5]),
        "Asked.of is Literal[1.5], which messages cannot carry: Literal may ",
    ),
    "union of two texts": (with_field(str | UUID), "Asked.of is str | uuid.UUID, which messages cannot carry: "),
    "union of two times": (
        with_field(date | datetime | None),
        "Asked.of is datetime.date | datetime.datetime | None, ",
    ),
    "union of two lists": (with_field(list[int] | tuple[int, ...]), "Asked.of is list[int] | tuple[int, ...], "),
    "union of two contracts": (
        with_field(Stop | Room),
        f"Asked.of is {__name__}.Stop | {__name__}.Room, which messages cannot carry: "
        "Type unions may not contain more than one dataclass",
    ),
    "union of dataclass and dict": (
        with_field(Stop | dict[str, int]),
        f"Asked.of is {__name__}.Stop | dict[str, int], ",
    ),
    "union of two contracts in a nested one": (with_field(tuple[Torn, ...]), "Torn.at is "),
    "union with one that is not": (with_field(int | bytes), "Asked.of is bytes, "),
    "optional of one that is not": (with_field(timedelta | None), "Asked.of is timedelta, "),
    "tuple of one that is not": (with_field(tuple[timedelta, ...]), "Asked.of is timedelta, "),
    "NewType of one that is not": (with_field(NewType("Pause", timedelta)), "Asked.of is timedelta, "),
    "nested": (with_field(Timed), "Timed.takes is timedelta, "),
    "nested in a tuple": (with_field(tuple[Timed, ...]), "Timed.takes is timedelta, "),
    "nested in a list": (with_field(list[Timed]), "Timed.takes is timedelta, "),
    "nested in a dict": (with_field(dict[str, Timed]), "Timed.takes is timedelta, "),
    "nested in an optional": (with_field(Timed | None), "Timed.takes is timedelta, "),
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


CARRIED_KINDS: dict[str, tuple[Any, Any, Any]] = {
    "Decimal keeps its zeros": (Decimal, Decimal("1.50"), "1.50"),
    "date": (date, date(2026, 7, 14), "2026-07-14"),
    "enum": (Colour, Colour.RED, "red"),
    "enum of numbers": (Deck, Deck.UPPER, 2),
    "literal": (Literal["red", "blue"], "red", "red"),
    "list": (list[int], [1, 2], [1, 2]),
    "list of dataclasses": (list[Stop], [Stop("Turin")], [{"city": "Turin", "nights": 1}]),
    "dict": (dict[str, UUID], {"a": UUID(int=7)}, {"a": str(UUID(int=7))}),
    "dict of lists": (dict[str, list[Decimal]], {"a": [Decimal(1)]}, {"a": ["1"]}),
    "union": (int | str, "1", "1"),
    "union of three": (int | str | None, None, None),
    "optional enum": (Colour | None, Colour.BLUE, "blue"),
    "NewType": (NewType("Price", Decimal), Decimal(1), "1"),
    "whole number beyond 64 bits": (int, 2**70, 2**70),
    "half a surrogate pair in a text": (str, "\ud800", "\ud800"),
    "time in UTC": (datetime, datetime(2026, 7, 14, tzinfo=UTC), "2026-07-14T00:00:00Z"),
}


@pytest.mark.parametrize(("kind", "value", "in_json"), CARRIED_KINDS.values(), ids=CARRIED_KINDS.keys())
def test_type_is_carried_as(kind: Any, value: Any, in_json: Any) -> None:
    contract = with_field(kind)
    check_carried(contract)
    message = wire(contract(value))
    assert message == {"of": in_json}
    read: Any = getattr(decode(contract, message), "of")  # noqa: B009  mypy knows no such field
    assert (read, type(read)) == (value, type(value))


def test_time_as_earlier_code_wrote_it_is_read() -> None:
    for text in ("2026-07-14T00:00:00+00:00", "2026-07-14T00:00:00.000001-03:30"):
        assert decode(Journey, wire(JOURNEY) | {"leaves_at": text}).leaves_at == datetime.fromisoformat(text)


class Marked(str):
    def __str__(self) -> str:
        return self


def test_text_of_a_subclass_is_written_as_a_text() -> None:
    assert {type(text) for text in encode(dataclasses.replace(JOURNEY, tags=(Marked("sea"),)))["tags"]} == {str}


@pytest.mark.parametrize("value", [b"sea", object()], ids=["bytes", "object"])
def test_what_json_has_no_form_for_is_not_written(value: Any) -> None:
    with pytest.raises(TypeError):
        wire(dataclasses.replace(JOURNEY, tags=(value,)))


def test_key_that_is_no_text_is_malformed() -> None:
    with pytest.raises(Malformed, match=r"^Stop: .* surrogates not allowed$"):
        decode(Stop, {"city": "Turin", "\ud800": 1})


def test_dataclass_may_stand_in_two_places() -> None:
    check_carried(dataclasses.make_dataclass("Moved", [("out_of", Stop), ("to", Stop)], frozen=True))


def test_refusal_says_what_messages_do_carry() -> None:
    with pytest.raises(NotCarried, match=r"which messages cannot carry; they carry str, int, .* X \| None and unions "):
        check_carried(Timed)
