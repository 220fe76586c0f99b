"""Converts contract values to JSON-ready values and back, with msgspec."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from inspect import signature
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from msgspec import ValidationError, convert, to_builtins
from msgspec.inspect import type_info

T = TypeVar("T")
CARRIED = (
    "str, int, float, bool, Decimal, UUID, date, datetime, Enum, Literal, dataclasses of these, "
    "list[X], tuple[X, ...], dict[str, X], X | None and unions whose JSON tells their types apart"
)
_JSON_TYPES = {"object": "an object", "array": "a list"}
_PLAIN = (str, int, float, bool, Decimal, UUID, date, datetime)


class Malformed(ValueError):
    """The data does not have the contract's shape; the message names the field."""


class NotCarried(TypeError):
    """A contract has a field whose type messages cannot carry; the message names class and field."""


def encode(value: Any) -> Any:
    """Convert a contract value to dicts, lists or tuples, strings and numbers.

    :raises TypeError: when the value has a type that contracts may not have.
    """
    # The hook is called for subclasses of str, int and float. Bytes stay bytes: JSON has no form for them.
    return to_builtins(value, builtin_types=(bytes,), enc_hook=lambda each: json.loads(json.dumps(each)))


def decode(contract: type[T], data: Mapping[str, Any]) -> T:
    """Read a contract from `data`. Ignore members that the contract does not have.

    :raises Malformed: when a field is missing or of the wrong type, or a datetime has no zone.
    """
    try:
        value = convert(data, contract)
    except ValidationError as error:
        raise Malformed(_explain(contract.__name__, data, str(error))) from None
    except UnicodeEncodeError as error:  # half a surrogate pair: read again without it to learn which field had it
        decode(contract, json.loads(json.dumps(data, ensure_ascii=False).encode(errors="replace")))
        raise Malformed(f"{contract.__name__}: {error}") from None
    _refuse_naive(value, contract.__name__)
    return value


def check_carried(contract: type) -> None:
    """Check that `decode` can read every value of the contract back from a message.

    :raises NotCarried: when a field's type cannot be read back, also in a nested dataclass.
    """
    if not _is_contract(contract):
        raise NotCarried(f"{_name(contract)} is not a dataclass")
    _check_fields(contract, within=(contract,))


def _check_fields(contract: type, within: tuple[type, ...]) -> None:
    """Check the contract's fields. `within` are the contract and the contracts that contain it."""
    for field in fields(contract):  # type: ignore[arg-type]
        place = f"{_name(contract)}.{field.name}"
        try:
            kind = get_type_hints(contract)[field.name]
        except NameError as error:
            raise NotCarried(f"{place}: {error}") from None
        for part in _parts(kind):
            if part in within:
                raise NotCarried(f"{place} is {_name(part)}, which would contain itself")
            if _is_contract(part):
                _check_fields(part, (*within, part))
            elif not _is_plain(part):
                raise NotCarried(f"{place} is {_name(part)}, which messages cannot carry; they carry {CARRIED}")
        try:
            type_info(kind)
        except TypeError as error:
            raise NotCarried(f"{place} is {_name(kind)}, which messages cannot carry: {error}") from None
    try:
        signature(contract).bind(**{field.name: None for field in fields(contract)})  # type: ignore[arg-type]
    except TypeError as error:
        raise NotCarried(f"{_name(contract)} cannot be made of its fields: {error}") from None


def _parts(kind: Any) -> Iterator[Any]:
    """Yield the types that a type is composed of. A dataclass is yielded whole."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        inner = [each for each in arguments if each is not NoneType]
    elif origin is list or (origin is tuple and arguments[1:] == (Ellipsis,)):
        inner = [arguments[0]]
    elif origin is dict and arguments[0] is str:
        inner = [arguments[1]]
    elif supertype := getattr(kind, "__supertype__", None):
        inner = [supertype]
    else:
        yield kind
        return
    for each in inner:
        yield from _parts(each)


def _is_plain(kind: Any) -> bool:
    return get_origin(kind) is Literal or kind in _PLAIN or (isinstance(kind, type) and issubclass(kind, Enum))


def _is_contract(kind: Any) -> bool:
    return isinstance(kind, type) and is_dataclass(kind)


def _name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind).replace("typing.", "")


def _refuse_naive(value: Any, path: str) -> None:
    """Check that every datetime has a zone. Msgspec demands one only of types that are annotated so.

    :raises Malformed: when a datetime has no zone.
    """
    if isinstance(value, datetime) and value.tzinfo is None:
        raise Malformed(f"{path} cannot be read: {value.isoformat()!r}")
    if is_dataclass(value):
        for name in _fields_with_datetimes(value.__class__):
            _refuse_naive(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list | tuple | dict):
        for key in value if isinstance(value, dict) else range(len(value)):
            _refuse_naive(value[key], f"{path}[{key!r}]")


@cache
def _fields_with_datetimes(contract: Any) -> tuple[str, ...]:
    def has_datetimes(part: Any) -> bool:
        return part is datetime or (_is_contract(part) and bool(_fields_with_datetimes(part)))

    return tuple(name for name, kind in get_type_hints(contract).items() if any(map(has_datetimes, _parts(kind))))


def _explain(name: str, data: Any, said: str) -> str:
    """Turn a text of msgspec, "Expected `int`, got `str` - at `$.lines[0].quantity`", into one that names the field."""
    what, _, place = said.rpartition(" - at ") if " - at `" in said else (said, "", "")
    path = place.partition("$")[2].rstrip("`")
    if missing := re.fullmatch("Object missing required field `(.+)`", what):
        return f"{name}{path}.{missing[1]} is missing"
    if re.match("Invalid|Number|Expected `(uuid|date|decimal)", what):
        return f"{name}{path} cannot be read: {_text_of(_at(path, data))[:60]!r}"
    if expected := re.match(r"Expected `(.+?)(?: \| null)?`", what):
        return f"{name}{path} is not {_JSON_TYPES.get(expected[1], expected[1])}"
    return f"{name}{path}: {what}"


def _at(path: str, data: Any) -> Any:
    """Return the value at the path. Of a dict, return the whole dict: msgspec writes each of its keys as "[...]"."""
    for key, index in re.findall(r"\.(\w+)|\[(\d+)\]", path.partition("[...]")[0]):
        data = data[int(index) if index else key]
    return data


def _text_of(data: Any) -> str:
    try:
        return str(data)
    except RecursionError:
        return f"a {type(data).__name__} nested too deep"
