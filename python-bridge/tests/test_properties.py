"""Contracts that do not lie, over generated models and generated values.

What the published schema admits, the tool's parser takes. The other way round for pydantic's
strict mode, where a value fits only as what it is: what the parser takes of a value written by
pydantic itself, the schema admits. In lax mode the parser takes more than any schema says.
"""

import asyncio
import datetime
import decimal
import enum
import json
import uuid
from typing import Annotated, Any, Literal, Optional

import jsonschema
import pytest
from annotated_types import Ge, Gt, Le, MultipleOf
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from langchain_core.tools import StructuredTool
from pydantic import (
    AliasChoices,
    AliasPath,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    create_model,
)
from pydantic.dataclasses import dataclass
from typing_extensions import NotRequired, TypedDict

from instances import instances
from twintrack_bridge.call import Call, call_on_loop
from twintrack_bridge.contract import Bridged, bridge
from twintrack_bridge.loading import load_tools
from twintrack_bridge.result import META_KEY
from twintrack_bridge.violation import violations

SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
FORMATS = jsonschema.FormatChecker()


class Color(enum.Enum):
    RED = "red"
    ONE = 1


class Leaf(BaseModel):
    size: Annotated[int, Ge(1)]
    label: str = Field("none", alias="Label")


class Tree(BaseModel):
    leaf: Leaf
    trees: list["Tree"] = []


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog", "hound"]
    name: str


class Route(TypedDict):
    start: str
    stops: NotRequired[list[int]]


@dataclass
class Point:
    x: float
    y: float = 0.0


_INTS = st.integers(-(2**70), 2**70)
_TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=6)
_LEAVES = st.fixed_dictionaries({"size": st.integers(0, 5)}, optional={"Label": _TEXTS})
_TREES = st.recursive(
    _LEAVES.map(lambda leaf: {"leaf": leaf}),
    lambda inner: st.tuples(_LEAVES, st.lists(inner, max_size=2)).map(
        lambda both: {"leaf": both[0], "trees": both[1]}
    ),
    max_leaves=4,
)
_ANYTHING = st.none() | st.booleans() | _INTS | _TEXTS | st.lists(_INTS, max_size=2)
_FLOATS = st.floats(allow_nan=False, allow_infinity=False)

#: Types teams give to arguments, with JSON that may be one of each, written without a schema.
TYPES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, _INTS),
    (float, _FLOATS | _INTS),
    (bool, st.booleans()),
    (str, _TEXTS),
    (Any, _ANYTHING),
    (None, st.none()),
    (Color, st.sampled_from(["red", 1, "blue"])),
    (Leaf, _LEAVES),
    (Tree, _TREES),
    (Route, st.fixed_dictionaries({"start": _TEXTS}, optional={"stops": st.lists(_INTS)})),
    (Point, st.fixed_dictionaries({"x": _FLOATS}, optional={"y": _FLOATS})),
    (Annotated[int, Gt(2), Le(60), MultipleOf(3)], st.integers(0, 70)),
    (Annotated[float, Ge(0), Le(1)], st.floats(-0.5, 1.5)),
    (Annotated[str, StringConstraints(min_length=2, max_length=5)], _TEXTS),
    (Annotated[str, StringConstraints(strip_whitespace=True, min_length=3)], _TEXTS),
    (Annotated[str, StringConstraints(strip_whitespace=True, max_length=3)], st.text(" a")),
    (Annotated[str, StringConstraints(pattern="^[a-c]+$")], st.text("abcd", max_size=4)),
    (Literal["a", 1, None], st.sampled_from(["a", 1, None, "b"])),
    (
        Annotated[Cat | Dog, Field(discriminator="kind")],
        st.sampled_from([{"kind": "cat"}, {"kind": "hound", "name": "n"}, {"kind": "dog"}]),
    ),
    (Optional[int], st.none() | _INTS),  # noqa: UP045
    (int | str | None, st.none() | _INTS | _TEXTS),
    (list[Leaf], st.lists(_LEAVES, max_size=3)),
    (list[int | None], st.lists(st.none() | _INTS, max_size=3)),
    (tuple[int, str], st.tuples(_INTS, _TEXTS).map(list)),
    (tuple[int, ...], st.lists(_INTS, max_size=3)),
    (set[int], st.lists(st.integers(0, 3), max_size=3)),
    (frozenset[str], st.lists(_TEXTS, max_size=3)),
    (Annotated[list[int], Field(min_length=1, max_length=3)], st.lists(_INTS, max_size=4)),
    (dict[str, int], st.dictionaries(_TEXTS, _INTS, max_size=3)),
    (dict[int, str], st.dictionaries(_INTS.map(str), _TEXTS, max_size=3)),
    (dict[float, str], st.dictionaries(_FLOATS.map(str) | _INTS.map(str), _TEXTS, max_size=3)),
    (dict[Literal["x", "y"], bool], st.dictionaries(st.sampled_from("xyz"), st.booleans())),
    (dict[str, Any], st.dictionaries(_TEXTS, _ANYTHING, max_size=3)),
    (datetime.date, st.dates().map(str)),
    (AwareDatetime, st.datetimes(timezones=st.just(datetime.timezone.utc)).map(str)),
    (uuid.UUID, st.uuids().map(str)),
    (decimal.Decimal, _FLOATS | st.decimals(allow_nan=False, allow_infinity=False).map(str)),
    (bytes, _TEXTS),
]

ALIASES: list[Any] = [
    None, "spelt-otherwise", AliasChoices("first", "second"), AliasPath("in", "there"),
    AliasChoices(AliasPath("in", 0), "flat"),
]  # fmt: skip


Values = dict[str, st.SearchStrategy[Any]]


@st.composite
def models(draw: st.DrawFn) -> tuple[type[BaseModel], Values]:
    """A model of up to four fields of any type, with JSON for each of them."""
    fields: dict[str, Any] = {}
    values: Values = {}
    aliases = draw(st.permutations(ALIASES))
    chosen = draw(st.lists(st.integers(0, len(TYPES) - 1), min_size=1, max_size=4))
    for index, which in enumerate(chosen):
        kind, values[f"f{index}"] = TYPES[which]
        alias = aliases[index] if draw(st.booleans()) else None
        default = {"default": None} if draw(st.booleans()) else {}
        fields[f"f{index}"] = (kind, Field(validation_alias=alias, **default))
    extra = draw(st.sampled_from(["ignore", "forbid"]))
    return create_model("Arguments", __config__=ConfigDict(extra=extra), **fields), values


def tool_of(model: type[BaseModel]) -> Bridged:
    tool = StructuredTool(name="t", description="", args_schema=model, func=lambda **given: given)
    tools, unsupported = bridge([tool])
    assert unsupported == []
    return tools[0]


def fits(schema: dict[str, Any], value: Any) -> bool:
    validator = jsonschema.Draft202012Validator(schema, format_checker=FORMATS)
    return next(validator.iter_errors(value), None) is None


def parsed(bridged: Bridged, args: Any) -> str | None:
    """What the tool's parser says against the arguments."""
    result = asyncio.run(call_on_loop(bridged, Call(json.loads(json.dumps(args)))))
    error = result["_meta"][META_KEY].get("error")
    return error and f"{error['name']}: {error['message']}"


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # Defaults of another type.
@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(st.data())
def test_what_the_schema_admits_the_tool_takes(data: st.DataObject) -> None:
    model, _ = data.draw(models())
    bridged = tool_of(model)
    schema = bridged.contract.input_schema
    args = data.draw(instances(schema, schema))
    assume(fits(schema, args))
    assert parsed(bridged, args) is None, json.dumps(schema)


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(st.data())
def test_what_the_strict_parser_takes_the_schema_admits(data: st.DataObject) -> None:
    model, values = data.draw(models())
    schema = tool_of(model).contract.input_schema
    args: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if field.is_required() or data.draw(st.booleans()):
            _spell(args, field.validation_alias or name, data.draw(values[name], label=name))
    try:
        model.model_validate_json(json.dumps(args), strict=True)
    except ValueError:
        assume(False)
    assert fits(schema, args), json.dumps(schema)


def _spell(args: dict[str, Any], alias: Any, value: Any) -> None:
    """Put the value where the contract says: of several spellings the first that is a name."""
    if isinstance(alias, AliasChoices):
        alias = next(one for one in alias.choices if isinstance(one, str))
    if isinstance(alias, AliasPath):
        args.setdefault("in", {})["there"] = value
    else:
        args[alias] = value


GALLERY = [
    bridged
    for bridged in bridge(load_tools(["gallery:GOOD", "shapes:ALL"]))[0]
    # A generator would be asked for any number of items.
    if not bridged.contract.injected and "upto" not in bridged.contract.input_schema["properties"]
]


@pytest.mark.parametrize("bridged", GALLERY, ids=[one.contract.name for one in GALLERY])
@settings(max_examples=6, deadline=None, suppress_health_check=SLOW)
@given(data=st.data())
def test_what_a_tool_s_schema_admits_gets_past_its_parser(
    bridged: Bridged, data: st.DataObject
) -> None:
    schema = bridged.contract.input_schema
    args = data.draw(instances(schema, schema))
    assume(fits(schema, args))
    reached = parse_only(bridged, args)
    assert reached, f"{args} of {json.dumps(schema)}"


_SCHEMAS = st.recursive(
    st.sampled_from(
        [
            True, False, {}, {"type": "integer"}, {"type": ["string", "null"]}, {"const": 1},
            {"enum": [1, "a", True]}, {"minimum": 1}, {"exclusiveMaximum": 2}, {"multipleOf": 0.5},
            {"minLength": 1}, {"maxLength": 1}, {"pattern": "a"}, {"minItems": 1},
            {"uniqueItems": True}, {"maxProperties": 1}, {"required": ["a"]}, {"type": "object"},
            {"dependentRequired": {"a": ["b"]}}, {"type": "array"}, {"$ref": "#/$defs/n"},
        ]
    ),
    lambda inner: st.one_of(
        *(inner.map(lambda one, key=key: {key: one}) for key in
          ("items", "not", "contains", "additionalProperties", "propertyNames")),
        *(st.lists(inner, min_size=1, max_size=2).map(lambda some, key=key: {key: some}) for key in
          ("allOf", "anyOf", "oneOf", "prefixItems")),
        inner.map(lambda one: {"properties": {"a": one}}),
        inner.map(lambda one: {"patternProperties": {"a|b": one}}),
        inner.map(lambda one: {"dependentSchemas": {"a": one}}),
        st.tuples(inner, inner).map(lambda two: {"if": two[0], "then": two[1], "else": False}),
        st.tuples(inner, inner).map(
            lambda two: {**(two[0] if isinstance(two[0], dict) else {}),
                         **(two[1] if isinstance(two[1], dict) else {})}
        ),
    ),
    max_leaves=6,
)  # fmt: skip
_VALUES = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 1.0, 2, 0.5, "", "a", "ab", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=5,
)


@settings(max_examples=400, deadline=None, suppress_health_check=SLOW)
@given(schema=_SCHEMAS.filter(lambda one: isinstance(one, dict)), value=_VALUES)
def test_our_check_of_a_schema_agrees_with_jsonschema(schema: dict[str, Any], value: Any) -> None:
    schema = {"$defs": {"n": {"type": "integer"}}, **schema}
    expected = jsonschema.Draft202012Validator(schema).is_valid(value)
    assert (violations(schema, value) == []) is expected


def parse_only(bridged: Bridged, args: dict[str, Any]) -> bool:
    """Whether the arguments reach the tool's own body."""
    result = asyncio.run(call_on_loop(bridged, Call(json.loads(json.dumps(args)))))
    error = result["_meta"][META_KEY].get("error", {"name": "", "message": ""})
    return error["name"] != "ValidationError"
