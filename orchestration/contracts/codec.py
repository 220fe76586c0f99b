"""Contract values to JSON-ready ones and back."""

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

T = TypeVar("T")


class Malformed(ValueError):
    """The data does not have the contract's shape; the message names the field."""


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


@cache
def _decoder(kind: Any) -> Callable[[Any, str], Any]:
    if supertype := getattr(kind, "__supertype__", None):
        return _decoder(supertype)
    if is_dataclass(kind):
        return _dataclass_decoder(kind)
    if get_origin(kind) is tuple:
        return _tuple_decoder(_decoder(get_args(kind)[0]))
    if get_origin(kind) in (Union, types.UnionType):
        return _optional_decoder(_decoder(next(arg for arg in get_args(kind) if arg is not type(None))))
    if kind in _PARSERS:
        return _parsed_decoder(_PARSERS[kind])
    return _plain_decoder(kind)


def _dataclass_decoder(kind: Any) -> Callable[[Any, str], Any]:
    hints = get_type_hints(kind)
    plan = [(f.name, _decoder(hints[f.name]), f.default is not MISSING) for f in fields(kind)]

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


def _plain_decoder(kind: type) -> Callable[[Any, str], Any]:
    def read(data: Any, path: str) -> Any:
        if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
            raise Malformed(f"{path} is not {kind.__name__}")
        return data

    return read


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment


_PARSERS: dict[Any, Callable[[str], Any]] = {UUID: UUID, datetime: _aware}
