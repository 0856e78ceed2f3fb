"""Any Python value as JSON data.

`lossy` says that the Python value cannot be rebuilt from the data: it was a tuple, a date, a
model, bytes, NaN … Conversion never raises, because by then the tool has
run: a cycle or a too deep value is cut and counts as lossy.

A float without a fraction is special: JavaScript writes `1.0` as `1`, and a chain that formats
the value would see the difference. Its place is noted in `floats` so that `restore` can undo it.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from .wire import MAX_DEPTH

JsonValue = Any
JsonObject = dict[str, Any]

#: The largest integer that JavaScript holds exactly.
MAX_SAFE_INTEGER = 2**53 - 1


_DIGITS = re.compile("0|-?[1-9][0-9]{0,4000}")

#: As JavaScript writes them.
_NOT_FINITE = {math.inf: "Infinity", -math.inf: "-Infinity"}


class Converted(NamedTuple):
    """JSON data, whether it lost something, and where floats without a fraction were."""

    value: JsonValue
    lossy: bool
    floats: Sequence[str]
    #: It holds an integer that JavaScript would round.
    long: bool = False


def to_json(value: object) -> Converted:
    """Convert any value; see the module's text for what is lossy."""
    conversion = _Conversion()
    try:
        data = conversion.convert(value, "", 0)
    except RecursionError:  # The user's code has lowered Python's own limit.
        return Converted("<nested too deep>", lossy=True, floats=())
    return Converted(data, conversion.lossy, conversion.floats, conversion.long)


def to_text(value: JsonValue) -> str:
    """JSON text of data from `to_json`; always valid JSON and always ASCII."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def in_digits(value: JsonValue) -> JsonValue:
    """A copy of data from `to_json`, its long integers as Python and JSON have them."""
    if isinstance(value, list):
        return list(map(in_digits, value))
    if not isinstance(value, dict):
        return value
    digits = value.get("value") if value.get("$type") == "bigint" else None
    if isinstance(digits, str) and _DIGITS.fullmatch(digits):
        return int(digits)
    fields: JsonObject = {}
    for name, item in value.items():
        fields[name] = in_digits(item)
    return fields


def restore(value: JsonValue, floats: Sequence[str]) -> JsonValue:
    """Turn the numbers at `floats` (JSON Pointers) back to floats, in place where possible."""
    for pointer in floats:
        parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
        if not parts:
            return float(value) if isinstance(value, int) else value
        holder = value
        for part in parts[:-1]:
            holder = _child(holder, part)
        _make_float(holder, parts[-1])
    return value


def _child(holder: JsonValue, part: str) -> JsonValue:
    if isinstance(holder, list):
        return holder[int(part)]
    return holder.get(part) if isinstance(holder, dict) else None


def _make_float(holder: JsonValue, part: str) -> None:
    value = _child(holder, part)
    if type(value) is int:
        key: Any = int(part) if isinstance(holder, list) else part
        holder[key] = float(value)


class _Conversion:
    def __init__(self) -> None:
        self.lossy = False
        self.long = False
        self.floats: list[str] = []
        self._ancestors: set[int] = set()

    def convert(self, value: object, path: str, depth: int) -> JsonValue:
        kind = type(value)
        if value is None or kind is bool or kind is str:
            return value
        if kind is int:
            return self._integer(value)
        if kind is float:
            return self._float(value, path)
        return self._nested(value, path, depth)

    def _integer(self, value: Any) -> JsonValue:
        if abs(value) <= MAX_SAFE_INTEGER:
            return value
        if value.bit_length() >= 10_000:  # Python refuses to print more than 4,300 digits.
            return self._tag("bigint", hex(value))
        self.long = True
        return {"$type": "bigint", "value": str(value)}

    def _float(self, value: Any, path: str) -> JsonValue:
        if not math.isfinite(value):
            return self._tag("number", _NOT_FINITE.get(value, "NaN"))
        if value == 0:
            value = 0.0  # Like JSON.stringify: a zero has no sign.
        if value.is_integer():
            self.floats.append(path)
        return value

    def _tag(self, kind: str, text: str) -> JsonObject:
        """What JSON cannot carry, in the form that `core/json.ts` gives it, too."""
        self.lossy = True
        return {"$type": kind, "value": text}

    def _nested(self, value: object, path: str, depth: int) -> JsonValue:
        if depth >= MAX_DEPTH or id(value) in self._ancestors:
            self.lossy = True
            return "<refers to itself>" if id(value) in self._ancestors else "<nested too deep>"
        self._ancestors.add(id(value))
        try:
            return self._container(value, path, depth + 1)
        finally:
            self._ancestors.discard(id(value))

    def _container(self, value: Any, path: str, depth: int) -> JsonValue:
        if type(value) is dict:
            return self._mapping(value, path, depth)
        if type(value) is list:
            return [self.convert(item, f"{path}/{i}", depth) for i, item in enumerate(value)]
        self.lossy = True
        try:
            plain = _plain(value)
        except Exception:  # A property or a serialiser of the user's own class raised.
            return _text(value)
        if plain is value:
            return _text(value)
        return self.convert(plain, path, depth)

    def _mapping(self, value: Mapping[Any, Any], path: str, depth: int) -> JsonObject:
        fields: JsonObject = {}
        for key, item in value.items():
            name = key if type(key) is str else self._key(key)
            escaped = name.replace("~", "~0").replace("/", "~1")
            fields[name] = self.convert(item, f"{path}/{escaped}", depth)
        return fields

    def _key(self, key: object) -> str:
        self.lossy = True
        plain = key.value if isinstance(key, Enum) else key
        if isinstance(plain, str):
            return str(plain)
        return to_text(to_json(plain).value)


def _plain(value: Any) -> object:
    """One step towards JSON for a value that is not plain data; the value itself when stuck."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (str, int, float)):
        return _base_scalar(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(bytes(value)).decode("ascii")
    if isinstance(value, (set, frozenset)):
        items = [to_json(item).value for item in value]
        return sorted(items, key=to_text)  # Set order changes from process to process.
    if isinstance(value, Mapping):
        return dict(value.items())
    if isinstance(value, (list, tuple)):
        return list(value)
    return _plain_object(value)


def _base_scalar(value: str | int | float) -> str | int | float:
    if isinstance(value, str):
        return str.__str__(value)
    return int(value) if isinstance(value, int) else float(value)


def _plain_object(value: Any) -> object:
    if isinstance(value, type):
        return value.__qualname__
    if callable(getattr(value, "model_dump", None)):
        return value.model_dump(by_alias=True)
    if callable(getattr(value, "__fields_set__", None)) or hasattr(value, "__fields__"):
        return value.dict(by_alias=True)
    if isinstance(fields := getattr(value, "__dataclass_fields__", None), dict):
        return {name: getattr(value, name) for name in fields}
    if type(value).__module__.partition(".")[0] in ("numpy", "pandas", "torch"):
        return value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    return _jsonable(value)


def _jsonable(value: Any) -> object:
    """Dates, decimals, UUIDs, paths and so on, in the form pydantic gives them."""
    try:
        from pydantic_core import to_jsonable_python
    except ImportError:
        isoformat = getattr(value, "isoformat", None)
        return isoformat() if callable(isoformat) else value
    if hasattr(value, "__next__") or hasattr(value, "__anext__"):
        return value  # Reading an iterator would take its items from the chain.
    return to_jsonable_python(value, fallback=_text)


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:
        return object.__repr__(value)
