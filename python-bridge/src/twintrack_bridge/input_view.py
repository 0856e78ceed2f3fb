"""Pydantic's JSON Schema of a model, corrected where it promises what the parser refuses."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic.json_schema import GenerateJsonSchema

JsonSchema = dict[str, Any]

#: Core schemas that only an object of this process satisfies.
_ONLY_PYTHON = ("is-instance", "is-subclass", "callable")

#: Dictionary keys travel as strings; these are the strings that the parser turns into them.
_KEY_NAMES: dict[str, JsonSchema] = {
    "int": {"pattern": r"^-?(0|[1-9][0-9]*)$"},
    "float": {"pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"},
    "bool": {"enum": ["true", "false"]},
    "uuid": {"format": "uuid"},
    "date": {"format": "date"},
}


_DECIMAL = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,5})?$"


class InputView(GenerateJsonSchema):
    """One field without a JSON Schema does not cost the whole tool."""

    ignored_warning_kinds: ClassVar[Any] = {"skipped-choice", "non-serializable-default"}

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchema:
        """Nothing satisfies a type of Python; a parser of the user's own may take anything."""
        return {"not": {}} if schema.get("type") in _ONLY_PYTHON else {}

    def encode_default(self, dft: Any) -> Any:
        """Set order changes from process to process."""
        encoded = super().encode_default(dft)
        return sorted(encoded, key=repr) if isinstance(dft, (set, frozenset)) else encoded

    def str_schema(self, schema: Any) -> JsonSchema:
        """Lengths hold after white space has been stripped."""
        published = super().str_schema(schema)
        bounds = published.keys() & {"minLength", "maxLength"}
        if schema.get("strip_whitespace") and bounds and "pattern" not in published:
            most = published.pop("maxLength", None)
            published["pattern"] = _stripped(published.get("minLength", 0), most)
        return published

    def decimal_schema(self, schema: Any) -> JsonSchema:
        """A text that is a number."""
        published = super().decimal_schema(schema)
        for branch in published.get("anyOf", (published,)):
            if branch.get("type") == "string":
                branch.setdefault("pattern", _DECIMAL)
        return published

    def set_schema(self, schema: Any) -> JsonSchema:
        """The parser drops what is there twice, unless that leaves it too few."""
        return _duplicates_allowed(super().set_schema(schema))

    def frozenset_schema(self, schema: Any) -> JsonSchema:
        """As `set_schema`."""
        return _duplicates_allowed(super().frozenset_schema(schema))

    def dict_schema(self, schema: Any) -> JsonSchema:
        """Keys that are no strings."""
        published = super().dict_schema(schema)
        keys = schema.get("keys_schema", {})
        names = _KEY_NAMES.get(keys.get("type"))
        if names and "propertyNames" not in published:
            published["propertyNames"] = names
        return published

    def tagged_union_schema(self, schema: Any) -> JsonSchema:
        """`oneOf` promises that only one branch fits; a function as discriminator does not."""
        published = super().tagged_union_schema(schema)
        if "oneOf" in published and not isinstance(schema.get("discriminator"), str):
            published["anyOf"] = published.pop("oneOf")
        return published

    def model_fields_schema(self, schema: Any) -> JsonSchema:
        """A field that is read from within another key is published there."""
        published = super().model_fields_schema(schema)
        for name, field in schema["fields"].items():
            paths = field.get("validation_alias")
            if isinstance(paths, list) and not any(len(path) == 1 for path in _paths(paths)):
                _move(published, name, _paths(paths)[0])
        return published


#: What Rust's `trim` takes away; `\\s` means something else in ECMAScript and again in Python.
_SPACES = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


def _stripped(least: int, most: int | None) -> str:
    """Texts of so many characters between white space."""
    edge, limit = f"[^{_SPACES}]", "" if most is None else most - 2
    if most is not None and most < 2:
        body = edge if most else ""
    elif least > 1:
        body = rf"{edge}[\s\S]{{{least - 2},{limit}}}{edge}"
    else:
        body = rf"{edge}([\s\S]{{0,{limit}}}{edge})?"
    return rf"^[{_SPACES}]*{body if least else f'({body})?'}[{_SPACES}]*$"


def _duplicates_allowed(published: JsonSchema) -> JsonSchema:
    if published.get("minItems", 0) < 2:
        published.pop("uniqueItems", None)
    return published


def _paths(alias: list[Any]) -> list[list[Any]]:
    return alias if alias and isinstance(alias[0], list) else [alias]


def _move(published: JsonSchema, name: str, path: list[Any]) -> None:
    given = published.get("properties", {}).pop(name, None)
    if given is None:
        return
    is_required = name in published.get("required", ())
    if is_required:
        published["required"] = [other for other in published["required"] if other != name]
    holder = published
    for at, part in enumerate(path):
        child = given if at == len(path) - 1 else _container(path[at + 1])
        _need(holder, part, always=is_required, at_root=at == 0)
        holder = _enter(holder, part, child)
    if not published.get("required", True):
        del published["required"]


def _container(next_part: Any) -> JsonSchema:
    return {"type": "object"} if isinstance(next_part, str) else {"type": "array"}


def _enter(holder: JsonSchema, part: Any, child: JsonSchema) -> JsonSchema:
    """The place of `part` in `holder`, which holds `child` from now on."""
    if isinstance(part, str):
        return holder.setdefault("properties", {}).setdefault(part, child)
    if part < 0:  # Counted from the end, where JSON Schema cannot point.
        return holder
    items = holder.setdefault("prefixItems", [])
    items.extend({} for _ in range(part + 1 - len(items)))
    items[part] = items[part] or child
    return items[part]


def _need(holder: JsonSchema, part: Any, *, always: bool, at_root: bool) -> None:
    """A container with nothing in it that is read counts as an unknown argument."""
    if isinstance(part, int):
        least = holder.get("minItems", part + 1)
        holder["minItems"] = max(least, part + 1) if always else min(least, part + 1)
        return
    if always and part not in holder.setdefault("required", []):
        holder["required"].append(part)
    if holder.get("required"):
        holder.pop("anyOf", None)
    elif not at_root:
        holder.setdefault("anyOf", []).append({"required": [part]})
