import json
import math
from collections import OrderedDict, namedtuple
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintrack_bridge.value import in_digits, restore, to_json, to_text


class Loud:
    def __str__(self) -> str:
        raise RuntimeError("no text")


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "a", [], {}, {"a": [1, {"b": None}]}])
def test_plain_data_is_not_lossy(value: Any) -> None:
    converted = to_json(value)
    assert converted.value == value
    assert converted.lossy is False


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("inf"), {"$type": "number", "value": "Infinity"}),
        (float("-inf"), {"$type": "number", "value": "-Infinity"}),
        (float("nan"), {"$type": "number", "value": "NaN"}),
        (2**53, {"$type": "bigint", "value": str(2**53)}),
        (-(2**53) + 1, -(2**53) + 1),
        ((1, 2), [1, 2]),
        (Pair(1, 2), [1, 2]),
        ({"b", "a"}, ["a", "b"]),
        (b"\xfb\xff", "+/8="),
        (Decimal("1.10"), "1.10"),
        (UUID(int=0), "00000000-0000-0000-0000-000000000000"),
        (Path("/a/b"), "/a/b"),
        (datetime(2024, 1, 2, tzinfo=timezone.utc), "2024-01-02T00:00:00Z"),
        ({1: "a"}, {"1": "a"}),
        (OrderedDict(a=1), {"a": 1}),
        (ValueError("x"), "ValueError: x"),
    ],
)
def test_other_values_have_a_form(value: Any, expected: Any) -> None:
    converted = to_json(value)
    assert converted.value == expected
    changed = value != expected or type(value) is not type(expected)
    assert (converted.lossy, converted.long) == (
        (False, True) if value == 2**53 else (changed, False)
    )
    assert in_digits(converted.value) == (value if converted.long else converted.value)


def test_conversion_never_raises() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    deep: Any = 1
    for _ in range(2_000):
        deep = [deep]
    for value in (cycle, deep, Loud(), {"a": Loud()}, object(), 10**6_000):
        converted = to_json(value)
        assert converted.lossy is True
        json.loads(to_text(converted.value))


def test_a_value_used_twice_is_no_cycle() -> None:
    shared = {"a": 1}
    assert to_json([shared, shared]).lossy is False


def test_a_float_without_a_fraction_survives_a_trip_through_javascript() -> None:
    value = {"a/b": [1.0, 2, 0.5], "~": {"c": 3.0}, "d": 1e300}
    converted = to_json(value)
    from_javascript = {"a/b": [1, 2, 0.5], "~": {"c": 3}, "d": 1e300}

    restored = restore(from_javascript, converted.floats)

    assert to_text(restored) == to_text(value)
    assert math.copysign(1, restore(0, to_json(0.0).floats)) == 1
    assert isinstance(restore(1, to_json(1.0).floats), float)


NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([0, -0.0, 2**53, -(2**53), 1e16]))


@given(NUMBERS, NUMBERS)
def test_two_numbers_have_one_text_exactly_when_they_are_equal(a: float, b: float) -> None:
    def javascript(value: object) -> str:
        # JSON.parse makes one kind of number of both.
        return to_text(float(value) if type(value) is int else value)

    equal = a == b or (a != a and b != b)
    texts = [javascript(to_json(value).value) for value in (a, b)]

    if isinstance(a, float) is isinstance(b, float) or abs(a) < 2**53:
        assert (texts[0] == texts[1]) is equal
    assert all(text != "null" for text in texts)
