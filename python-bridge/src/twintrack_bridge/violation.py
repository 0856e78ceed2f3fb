"""Where a value breaks a JSON Schema.

For tools whose arguments nobody else checks: a `BaseTool` without `args_schema`, and a schema that
is a dict. Reads 2020-12 and the tuples of draft 7. What it cannot decide (`format`, a reference to
another document, `unevaluated…`) it lets pass: then the tool decides, as it does in LangChain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .value import JsonObject, JsonValue, to_text


@dataclass(frozen=True)
class Violation:
    """One place, as a path of keys and indexes, and what is wrong there."""

    path: tuple[str | int, ...]
    problem: str


Path = tuple[str | int, ...]
Found = Iterator[Violation]


def violations(schema: JsonObject, value: JsonValue) -> list[Violation]:
    """Everything in `value` that breaks `schema`; nothing when the schema cannot be followed."""
    try:
        return list(_Reader(schema).read(schema, value, ()))
    except RecursionError:
        return []  # A reference to itself, or deeper than Python goes.


class _Reader:
    def __init__(self, root: JsonObject) -> None:
        self._root = root

    def read(self, schema: Any, value: JsonValue, path: Path) -> Found:
        if schema is False:
            yield Violation(path, "is not allowed")
        if not isinstance(schema, dict):
            return
        for keyword, argument in schema.items():
            check = _KEYWORDS.get(keyword)
            if check is not None:
                yield from check(self, argument, value, path, schema)

    def fits(self, schema: Any, value: JsonValue) -> bool:
        return next(self.read(schema, value, ()), None) is None

    def target(self, reference: Any) -> Any:
        found: Any = self._root
        if not isinstance(reference, str) or not re.fullmatch("#(/.*)?", reference):
            return True
        for part in reference.split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            elif isinstance(found, dict) and name in found:
                found = found[name]
            else:
                return True
        return found


Check = Callable[[_Reader, Any, JsonValue, Path, JsonObject], Found]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": lambda value: _is_number(value) and value == value // 1,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _same(one: JsonValue, other: JsonValue) -> bool:
    """JSON's equality: 1 is 1.0, but true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return one == other


def _type(_: _Reader, wanted: Any, value: Any, path: Path, __: JsonObject) -> Found:
    names = wanted if isinstance(wanted, list) else [wanted]
    if not any(_TYPES.get(name, lambda _: True)(value) for name in names):
        yield Violation(path, f"is not of type {' or '.join(map(str, names))}")


def _enum(_: _Reader, allowed: Any, value: Any, path: Path, __: JsonObject) -> Found:
    if not any(_same(one, value) for one in allowed):
        yield Violation(path, f"is none of {to_text(allowed)}")


def _const(_: _Reader, only: Any, value: Any, path: Path, __: JsonObject) -> Found:
    if not _same(only, value):
        yield Violation(path, f"is not {to_text(only)}")


def _bound(applies: Callable[[Any], bool], breaks: Callable[[Any, Any], bool], text: str) -> Check:
    def check(_: _Reader, limit: Any, value: Any, path: Path, __: JsonObject) -> Found:
        if applies(value) and breaks(value, limit):
            yield Violation(path, text.format(limit))

    return check


def _matches(pattern: str, text: str) -> bool:
    if pattern.endswith("$") and not pattern.endswith("\\$"):
        pattern = pattern[:-1] + r"\Z"  # Python's `$` also matches before a newline at the end.
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True  # ECMAScript's and Python's expressions differ.


def _is_multiple(value: Any, of: Any) -> bool:
    if isinstance(value, int) and isinstance(of, int):
        return value % of == 0
    ratio = value / of
    return abs(ratio - round(ratio)) < 1e-9


def _unique(_: _Reader, wanted: Any, value: Any, path: Path, __: JsonObject) -> Found:
    if wanted is True and isinstance(value, list):
        for index, item in enumerate(value):
            if any(_same(item, before) for before in value[:index]):
                yield Violation((*path, index), "is there twice")


def _required(_: _Reader, names: Any, value: Any, path: Path, __: JsonObject) -> Found:
    if isinstance(value, dict):
        for name in names:
            if name not in value:
                yield Violation((*path, name), "is required")


def _properties(read: _Reader, given: Any, value: Any, path: Path, _: JsonObject) -> Found:
    if isinstance(value, dict):
        for name in value.keys() & given.keys():
            yield from read.read(given[name], value[name], (*path, name))


def _patterns(read: _Reader, given: Any, value: Any, path: Path, _: JsonObject) -> Found:
    if isinstance(value, dict):
        for pattern, schema in given.items():
            for name in value:
                if _matches(pattern, name):
                    yield from read.read(schema, value[name], (*path, name))


def _additional(read: _Reader, given: Any, value: Any, path: Path, schema: JsonObject) -> Found:
    if isinstance(value, dict):
        patterns = schema.get("patternProperties", {})
        for name in value.keys() - schema.get("properties", {}).keys():
            if not any(_matches(pattern, name) for pattern in patterns):
                yield from read.read(given, value[name], (*path, name))


def _names(read: _Reader, given: Any, value: Any, path: Path, _: JsonObject) -> Found:
    for name in value if isinstance(value, dict) else ():
        if not read.fits(given, name):
            yield Violation((*path, name), "is no name allowed here")


def _items(read: _Reader, given: Any, value: Any, path: Path, schema: JsonObject) -> Found:
    if not isinstance(value, list):
        return
    if isinstance(given, list):  # Draft 7 writes tuples like this.
        yield from _prefix(read, given, value, path, schema)
        return
    for index in range(len(schema.get("prefixItems", ())), len(value)):
        yield from read.read(given, value[index], (*path, index))


def _rest(read: _Reader, given: Any, value: Any, path: Path, schema: JsonObject) -> Found:
    before = schema.get("items")
    if isinstance(value, list) and isinstance(before, list):
        for index in range(len(before), len(value)):
            yield from read.read(given, value[index], (*path, index))


def _prefix(read: _Reader, given: Any, value: Any, path: Path, _: JsonObject) -> Found:
    if isinstance(value, list):
        for index, (schema, item) in enumerate(zip(given, value, strict=False)):
            yield from read.read(schema, item, (*path, index))


def _contains(read: _Reader, given: Any, value: Any, path: Path, schema: JsonObject) -> Found:
    if isinstance(value, list):
        found = sum(read.fits(given, item) for item in value)
        if found < schema.get("minContains", 1) or found > schema.get("maxContains", found):
            yield Violation(path, "does not contain what it has to")


def _all(read: _Reader, given: Any, value: Any, path: Path, _: JsonObject) -> Found:
    for schema in given:
        yield from read.read(schema, value, path)


def _any(read: _Reader, given: Any, value: Any, path: Path, _: JsonObject) -> Found:
    if not any(read.fits(schema, value) for schema in given):
        yield Violation(path, "fits none of the alternatives")


def _one(read: _Reader, given: Any, value: Any, path: Path, _: JsonObject) -> Found:
    fitting = sum(read.fits(schema, value) for schema in given)
    if fitting != 1:
        yield Violation(path, f"fits {fitting} of the alternatives and has to fit one")


def _not(read: _Reader, given: Any, value: Any, path: Path, _: JsonObject) -> Found:
    if read.fits(given, value):
        yield Violation(path, "is excluded")


def _if(read: _Reader, given: Any, value: Any, path: Path, schema: JsonObject) -> Found:
    branch = "then" if read.fits(given, value) else "else"
    yield from read.read(schema.get(branch, True), value, path)


def _ref(read: _Reader, given: Any, value: Any, path: Path, _: JsonObject) -> Found:
    yield from read.read(read.target(given), value, path)


def _dependent(read: _Reader, given: Any, value: Any, path: Path, _: JsonObject) -> Found:
    if isinstance(value, dict):
        for name in value.keys() & given.keys():
            needed = given[name]
            needed = {"required": needed} if isinstance(needed, list) else needed
            yield from read.read(needed, value, path)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


_KEYWORDS: dict[str, Check] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "minimum": _bound(_is_number, lambda value, limit: value < limit, "is less than {}"),
    "maximum": _bound(_is_number, lambda value, limit: value > limit, "is more than {}"),
    "exclusiveMinimum": _bound(_is_number, lambda value, limit: value <= limit, "is not above {}"),
    "exclusiveMaximum": _bound(_is_number, lambda value, limit: value >= limit, "is not below {}"),
    "multipleOf": _bound(
        _is_number, lambda value, of: not _is_multiple(value, of), "is no multiple of {}"
    ),
    "minLength": _bound(_is_text, lambda value, n: len(value) < n, "has fewer than {} characters"),
    "maxLength": _bound(_is_text, lambda value, n: len(value) > n, "has more than {} characters"),
    "pattern": _bound(_is_text, lambda value, p: not _matches(p, value), "does not match {}"),
    "minItems": _bound(_is_list, lambda value, n: len(value) < n, "has fewer than {} items"),
    "maxItems": _bound(_is_list, lambda value, n: len(value) > n, "has more than {} items"),
    "minProperties": _bound(_is_object, lambda value, n: len(value) < n, "has fewer than {} keys"),
    "maxProperties": _bound(_is_object, lambda value, n: len(value) > n, "has more than {} keys"),
    "uniqueItems": _unique,
    "required": _required,
    "properties": _properties,
    "patternProperties": _patterns,
    "additionalProperties": _additional,
    "propertyNames": _names,
    "items": _items,
    "additionalItems": _rest,
    "prefixItems": _prefix,
    "contains": _contains,
    "allOf": _all,
    "anyOf": _any,
    "oneOf": _one,
    "not": _not,
    "if": _if,
    "$ref": _ref,
    "dependentRequired": _dependent,
    "dependentSchemas": _dependent,
    "dependencies": _dependent,
}
