"""Random JSON for a JSON Schema, and random pydantic models with arguments for them.

`instances(schema)` follows the published schema and nothing else; whoever draws from it checks
with `jsonschema` that the value really fits, so that a mistake here cannot hide one of the bridge.
"""

import re
from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any] | bool

_LETTERS = st.characters(exclude_categories=("Cs",))
_FORMATS: dict[str, st.SearchStrategy[str]] = {
    "date": st.dates().map(str),
    "date-time": st.datetimes().map(lambda d: d.isoformat() + "Z"),
    "time": st.times().map(lambda t: t.isoformat() + "Z"),
    "uuid": st.uuids().map(str),
    "duration": st.integers(0, 10_000).map(lambda n: f"PT{n}S"),
    "ipv4": st.ip_addresses(v=4).map(str),
    "email": st.from_regex(re.compile(r"[a-z]{1,8}@[a-z]{1,8}\.com"), fullmatch=True),
    "uri": st.from_regex(re.compile(r"https://[a-z]{1,8}\.com/[a-z]{0,5}"), fullmatch=True),
}
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(_LETTERS, max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab"), inner, max_size=2),
    max_leaves=4,
)


def instances(schema: Schema, root: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Values that fit, in most cases: filter them with a validator."""
    if isinstance(schema, bool):
        return _ANYTHING if schema else st.nothing()
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        target = root["$defs"][name] if schema["$ref"] != "#" else root
        return st.deferred(lambda: instances(target, root, depth + 1))
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    for union in ("anyOf", "oneOf"):
        if union in schema:
            rest = {key: value for key, value in schema.items() if key not in (union, "default")}
            return st.one_of(
                [instances({**rest, **branch}, root, depth) for branch in schema[union]]
            )
    return _of_type(schema, root, depth)


def _of_type(schema: dict[str, Any], root: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    kind = schema.get("type")
    if kind == "object" or "properties" in schema:
        return _objects(schema, root, depth)
    if kind == "array" or "prefixItems" in schema:
        return _arrays(schema, root, depth)
    if kind == "string":
        return _strings(schema)
    if kind == "integer":
        return _integers(schema)
    if kind == "number":
        return _numbers(schema)
    return {"boolean": st.booleans(), "null": st.none()}.get(str(kind), _ANYTHING)


def _strings(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    least, most = schema.get("minLength", 0), schema.get("maxLength", 12)
    texts = st.text(_LETTERS, min_size=least, max_size=max(least, most))
    if "pattern" in schema:
        fitting = st.from_regex(schema["pattern"], alphabet=_LETTERS)
        # Python's `$` also matches before a newline at the end; ECMAScript's and pydantic's do not.
        return fitting.filter(
            lambda text: least <= len(text) <= schema.get("maxLength", 99) and text[-1:] != "\n"
        )
    return texts


def _integers(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    least = schema.get("minimum", schema.get("exclusiveMinimum", -(2**60) - 1) + 1)
    most = schema.get("maximum", schema.get("exclusiveMaximum", 2**60 + 1) - 1)
    step = schema.get("multipleOf", 1)
    whole = st.integers(-(-least // step), most // step).map(lambda n: n * step)
    # JSON has one kind of number: 3.0 is an integer.
    return whole | whole.filter(lambda n: abs(n) < 2**53).map(float)


def _numbers(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum", schema.get("exclusiveMaximum"))
    return st.floats(least, most, allow_nan=False, allow_infinity=False)


def _arrays(schema: dict[str, Any], root: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    first = [instances(part, root, depth + 1) for part in schema.get("prefixItems", ())]
    least = max(0, schema.get("minItems", 0) - len(first))
    most = max(least, min(schema.get("maxItems", 9) - len(first), 0 if depth > 4 else 3))
    rest = schema.get("items", not first)
    if most == 0 or rest is False:
        return st.tuples(*first).map(list)
    more = st.lists(instances(rest, root, depth + 1), min_size=least, max_size=most)
    return st.tuples(st.tuples(*first), more).map(lambda both: [*both[0], *both[1]])


def _objects(schema: dict[str, Any], root: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    properties = schema.get("properties", {})
    required = schema.get("required", ())
    wanted = {
        name: instances(part, root, depth + 1)
        for name, part in properties.items()
        if name in required or depth <= 4
    }
    known = st.fixed_dictionaries(
        {name: values for name, values in wanted.items() if name in required},
        optional={name: values for name, values in wanted.items() if name not in required},
    )
    rest = schema.get("additionalProperties", True)
    if rest is False or depth > 4:
        return known
    names = instances({"type": "string", **schema.get("propertyNames", {})}, root)
    unknown = st.dictionaries(
        names.filter(lambda name: name not in properties),
        instances(rest, root, depth + 1),
        min_size=schema.get("minProperties", 0),
        max_size=2,
    )
    return st.tuples(unknown, known).map(lambda both: {**both[0], **both[1]})
