"""The rule by which a recorded run is answered: the twin of `core/ledger.ts`.

A call is answered by the first unused recorded call with the same tool and the same canonical
arguments. A write without one is refused. Both languages read `fixtures/vectors/ledger.json`.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .value import JsonObject, JsonValue

Effect = Literal["read", "write"]

#: By tool, the keys that lead to each argument.
FreeArguments = dict[str, list[list[str]]]

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def canonical_text(value: JsonValue) -> str:
    """JSON text with sorted keys, letter for letter as `canonicalText` of `core/json.ts`."""
    if isinstance(value, dict):
        # JavaScript sorts by UTF-16 code unit, Python by code point.
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        fields = (f"{_string_text(key)}:{canonical_text(value[key])}" for key in keys)
        return "{" + ",".join(fields) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical_text(item) for item in value) + "]"
    if isinstance(value, str):
        return _string_text(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number_text(float(value))
    return json.dumps(value)


def _string_text(value: str) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return _LONE_SURROGATE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _number_text(value: float) -> str:
    """The text JavaScript gives a number. Source: ECMA-262, Number::toString."""
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent_text = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    point = len(whole) + int(exponent_text or 0)
    digits = (whole + fraction).lstrip("0")
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    return sign + _place_point(digits, point)


def _place_point(digits: str, point: int) -> str:
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    mantissa = digits if len(digits) == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def call_key(tool: str, args: JsonValue) -> str:
    """Equal for calls that may answer each other."""
    return f"{tool} {canonical_text(args)}"


@dataclass(frozen=True)
class Recorded:
    """The call that answers."""

    call: JsonObject


@dataclass(frozen=True)
class Refused:
    """A write without a record."""


@dataclass(frozen=True)
class Unrecorded:
    """A read without a record."""


class AnswerBook:
    """Answers calls from a recording; every recorded call is given out once, in order.

    `free` are arguments of writes that may be other ones, by tool: for each the keys that lead to
    it. Calls that are equal but for these answer each other, too.
    """

    def __init__(self, recording: Sequence[JsonObject], free: FreeArguments | None = None) -> None:
        self._free = free or {}
        self._waiting: dict[str, deque[int]] = {}
        self._unused: dict[int, JsonObject] = dict(enumerate(recording))
        for index, call in self._unused.items():
            key = call_key(call["tool"], call["args"])
            self._waiting.setdefault(key, deque()).append(index)

    def answer(self, tool: str, args: JsonValue, effect: Effect) -> Recorded | Refused | Unrecorded:
        """The next answer for this call."""
        waiting = self._waiting.get(call_key(tool, args)) or deque[int]()
        while waiting and waiting[0] not in self._unused:
            waiting.popleft()
        index = waiting.popleft() if waiting else None
        if index is None and effect == "write":
            index = self._alike(tool, args)
        if index is not None:
            return Recorded(self._unused.pop(index))
        return Refused() if effect == "write" else Unrecorded()

    def _alike(self, tool: str, args: JsonValue) -> int | None:
        paths = self._free.get(tool)
        if not paths:
            return None

        def fixed(value: JsonValue) -> str:
            for path in paths:
                value = _without(value, path)
            return canonical_text(value)

        wanted = fixed(args)
        unused = self._unused.items()
        return next(
            (i for i, c in unused if c["tool"] == tool and fixed(c["args"]) == wanted), None
        )

    def unused(self) -> list[JsonObject]:
        """Recorded calls that nobody asked for yet, in the order they were made."""
        return list(self._unused.values())


def _without(value: JsonValue, path: Sequence[str]) -> JsonValue:
    if not path:
        return None
    key, *rest = path
    if not isinstance(value, dict) or key not in value:
        return value
    others = {name: inner for name, inner in value.items() if name != key}
    return {**others, key: _without(value[key], rest)} if rest else others


def effect_of(effects: dict[str, Any], tool: str) -> Effect:
    """The declared effect; undeclared means `write`."""
    return "read" if effects.get(tool) == "read" else "write"
