"""Contract values to JSON-ready ones and back."""

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from functools import cache
from inspect import signature
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

T = TypeVar("T")


class Malformed(ValueError):
    """The data does not have the contract's shape; the message names the field."""


class NotCarried(TypeError):
    """A contract has a field whose type messages cannot carry; the message names class and field."""


class _NoDecoder(TypeError):
    """There is no decoder for this type; the message says what it is."""


def encode(value: Any) -> Any:
    """Turn a contract value into dicts, lists, strings and numbers."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    return value


def decode(contract: type[T], data: Mapping[str, Any]) -> T:
    """Read a contract out of `data`, which may hold more than the contract needs.

    :raises Malformed: when a field is missing or of the wrong type.
    """
    return _decoder(contract)(data, contract.__name__)  # type: ignore[arg-type, no-any-return]


def check_carried(contract: type) -> None:
    """Refuse a contract that `decode` cannot read back from a message, whatever its values are.

    :raises NotCarried: naming the first such class and field, also of a dataclass nested in this one.
    """
    try:
        _dataclass_decoder(contract, ())
    except _NoDecoder as error:
        raise NotCarried(str(error)) from None


@cache
def _decoder(kind: Any, within: tuple[Any, ...] = ()) -> Callable[[Any, str], Any]:
    """Make the function that reads a value of this type; `within` are the dataclasses around it.

    :raises NotCarried: when a field of the dataclass cannot be read.
    :raises _NoDecoder: when no value of the type can be.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if supertype := getattr(kind, "__supertype__", None):
        return _decoder(supertype, within)
    if _is_contract(kind):
        return _dataclass_decoder(kind, within)
    if origin is tuple and arguments[1:] == (Ellipsis,):
        return _tuple_decoder(_decoder(arguments[0], within))
    if origin in (Union, types.UnionType) and len(arguments) == 2 and type(None) in arguments:
        return _optional_decoder(_decoder(next(each for each in arguments if each is not type(None)), within))
    if kind in _PARSERS:
        return _parsed_decoder(_PARSERS[kind])
    if kind in _PLAIN:
        return _plain_decoder(kind)
    raise _NoDecoder(f"{_shown(kind)}, which messages cannot carry; they carry {CARRIED}")


def _dataclass_decoder(kind: Any, within: tuple[Any, ...]) -> Callable[[Any, str], Any]:
    if kind in within:
        raise _NoDecoder(f"{_shown(kind)}, which would contain itself")
    if not _is_contract(kind):
        raise _NoDecoder(f"{_shown(kind)} is not a dataclass")
    plan = [(f.name, _field_decoder(kind, f, (*within, kind)), f.default is not MISSING) for f in fields(kind)]
    try:
        signature(kind).bind(**{name: None for name, *_ in plan})
    except TypeError as error:
        raise NotCarried(f"{_shown(kind)} cannot be made of its fields: {error}") from None

    def read(data: Any, path: str) -> Any:
        if not isinstance(data, Mapping):
            raise Malformed(f"{path} is not an object")
        values = {}
        for name, decoder, has_default in plan:
            if name in data:
                values[name] = decoder(data[name], f"{path}.{name}")
            elif not has_default:
                raise Malformed(f"{path}.{name} is missing")
        return kind(**values)

    return read


def _field_decoder(kind: Any, field: "Field[Any]", within: tuple[Any, ...]) -> Callable[[Any, str], Any]:
    try:
        return _decoder(get_type_hints(kind)[field.name], within)
    except NameError as error:
        raise NotCarried(f"{_shown(kind)}.{field.name}: {error}") from None
    except _NoDecoder as error:
        raise NotCarried(f"{_shown(kind)}.{field.name} is {error}") from None


def _tuple_decoder(item: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    def read(data: Any, path: str) -> Any:
        if not isinstance(data, list | tuple):
            raise Malformed(f"{path} is not a list")
        return tuple(item(element, f"{path}[{index}]") for index, element in enumerate(data))

    return read


def _optional_decoder(inner: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    return lambda data, path: None if data is None else inner(data, path)


def _parsed_decoder(parse: Callable[[str], Any]) -> Callable[[Any, str], Any]:
    def read(data: Any, path: str) -> Any:
        try:
            return parse(data)
        except (TypeError, ValueError, AttributeError):
            raise Malformed(f"{path} cannot be read: {str(data)[:60]!r}") from None

    return read


def _plain_decoder(kind: Any) -> Callable[[Any, str], Any]:
    def read(data: Any, path: str) -> Any:
        if kind is float and type(data) is int:
            return float(data)  # PostgreSQL's jsonb writes 1e16 without a point
        if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
            raise Malformed(f"{path} is not {kind.__name__}")
        return data

    return read


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment


def _is_contract(kind: Any) -> bool:
    return isinstance(kind, type) and is_dataclass(kind)


def _shown(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind).replace("typing.", "")


_PARSERS: dict[Any, Callable[[str], Any]] = {UUID: UUID, datetime: _aware}
_PLAIN = (str, int, float, bool)
CARRIED = "str, int, float, bool, UUID, datetime, dataclasses of these, tuple[X, ...] and X | None"
