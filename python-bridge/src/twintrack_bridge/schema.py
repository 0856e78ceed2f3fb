"""A tool's input and output JSON Schema (2020-12), as its caller has to see them.

Not LangChain's `tool_call_schema`: that one drops aliases the parser insists on, publishes `*args`
and `**kwargs` as ordinary properties, and gives a legacy `Tool` the schema of RunnableConfig.

What a caller may not send (injected arguments, parameters LangChain keeps) is not published; then
the schema is closed, because such a name is refused. Alternative spellings (AliasChoices, field
names beside aliases) are accepted but only the first is published.
"""

from __future__ import annotations

import inspect
from typing import Any, get_args, get_origin

from .injection import refused_names, reserved_names
from .loading import Tool
from .signature import body_of, implementations, is_single_input, type_hints
from .value import JsonObject, to_json

DRAFT_2020_12 = "https://json-schema.org/draft/2020-12/schema"
_DRAFT_7 = "http://json-schema.org/draft-07/schema#"

#: What pydantic calls the fields it makes for `*args`, `**kwargs` and positional-only parameters.
_SYNTHETIC = frozenset(
    ("v__args", "v__kwargs", "v__duplicate_kwargs", "v__positional_only", "v__duplicate_args")
)

#: Parameters of `_run` itself: a StructuredTool never hands them on to its function.
_KEPT_BY_RUN = frozenset(("config", "run_manager"))

_NO_VALUE: JsonObject = {"not": {}}


def input_schema(tool: Tool) -> JsonObject:
    """JSON Schema of the arguments, as the tool's own parser takes them.

    Raises:
        ValueError: the arguments are no object, or JSON cannot carry one of them.
    """
    schema = _object_root(_source_schema(tool))
    _drop_properties(schema, reserved_names(tool) | synthetic_names(tool))
    _drop_impossible(schema)
    _refuse_kept_names(tool, schema)
    if _refuses_unknown(tool, schema):
        schema["additionalProperties"] = False
    _drop_unused_definitions(schema)
    return schema


def output_schema(tool: Tool) -> JsonObject | None:
    """From a concrete return annotation; None when it says nothing that can be relied on.

    Of a tool with `content_and_artifact` the artifact, which is the second of the pair.
    """
    annotation = return_annotation(tool)
    if getattr(tool, "response_format", "content") == "content_and_artifact":
        parts = get_args(annotation) if get_origin(annotation) is tuple else ()
        annotation = parts[1] if len(parts) == 2 else None
    if (
        annotation is None
        or annotation in (Any, str, object, dict, list)
        or _is_message(annotation)
    ):
        return None
    try:
        from pydantic import TypeAdapter

        schema = TypeAdapter(annotation).json_schema(mode="serialization")
    except Exception:
        return None
    schema.pop("title", None)
    schema = to_json(schema).value
    return {"$schema": DRAFT_2020_12, **schema} if _is_concrete(schema) else None


def return_annotation(tool: Tool) -> Any:
    """What the body of the tool says it returns; None when it says nothing."""
    return next(filter(None, map(_returned, implementations(tool))), None)


def _returned(function: Any) -> Any:
    return type_hints(function).get("return")


def _is_message(annotation: Any) -> bool:
    names = {base.__name__ for base in getattr(annotation, "__mro__", ())}
    return bool(names & {"BaseMessage", "Command", "Send"})


def _is_concrete(schema: JsonObject) -> bool:
    if schema.get("type") == "object" and "properties" not in schema:
        return isinstance(schema.get("additionalProperties"), dict)
    if schema.get("type") == "array":
        parts = [schema.get("items", {}), *schema.get("prefixItems", ())]
        return any(isinstance(part, dict) and _is_concrete(part) for part in parts)
    return bool(schema.keys() & {"type", "$ref"}) and schema.get("type") != "null"


def _source_schema(tool: Tool) -> JsonObject:
    schema = tool.args_schema
    if isinstance(schema, dict):
        copied = to_json(schema).value
        dialect = _DRAFT_7 if _has_older_keyword(copied) else DRAFT_2020_12
        return {"$schema": dialect, **copied}
    return {"$schema": DRAFT_2020_12, **_schema_of_model(tool, schema)}


def _schema_of_model(tool: Tool, schema: Any) -> JsonObject:
    if schema is None and is_single_input(tool):
        only = {"tool_input": {"type": "string"}}
        return {"properties": only, "required": ["tool_input"], "additionalProperties": False}
    model = _model_of_signature(tool) if schema is None else schema
    if not hasattr(model, "model_json_schema"):
        return _modern_keywords(to_json(model.schema(by_alias=True)).value)  # pydantic v1
    if getattr(model, "__pydantic_root_model__", False):
        raise ValueError("the arguments are a RootModel, which LangChain cannot call a tool with")
    from .input_view import InputView

    generated = model.model_json_schema(
        by_alias=True, mode="validation", schema_generator=InputView
    )
    return to_json(generated).value


def _model_of_signature(tool: Tool) -> Any:
    from langchain_core.tools import create_schema_from_function

    return create_schema_from_function(str(tool.name), body_of(tool))


def _object_root(schema: JsonObject) -> JsonObject:
    schema = _without_root_reference(schema)
    for key in ("title", "description"):
        schema.pop(key, None)
    kind = schema.get("type", "object")
    if kind != "object" and not (isinstance(kind, list) and "object" in kind):
        raise ValueError(f"the arguments are of type {kind}: MCP carries an object")
    dialect = schema.pop("$schema", DRAFT_2020_12)
    return {
        "$schema": dialect,
        **schema,
        "type": "object",
        "properties": schema.get("properties", {}),
    }


def _without_root_reference(schema: JsonObject) -> JsonObject:
    """A recursive model's root is only a reference; many clients look for `properties` there."""
    for _ in range(8):
        target = schema.get("$ref")
        part = _definition(schema, target)
        if part is None:
            return schema
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        if rest.keys() & part.keys() - {"title", "description", "type"}:
            return schema  # Both say something of the same keyword: the reference stays.
        schema = {**part, **rest}
    return schema


def _definition(schema: JsonObject, target: Any) -> JsonObject | None:
    if not isinstance(target, str) or not target.startswith("#/"):
        return None
    found: Any = schema
    for part in target[2:].split("/"):
        found = found.get(_unescaped(part)) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _refuses_unknown(tool: Tool, schema: JsonObject) -> bool:
    if "additionalProperties" in schema:
        return False
    if refused_names(tool):
        return True
    if isinstance(tool.args_schema, dict):
        return False
    # Without a parser an unknown name reaches the function.
    return not schema["properties"] or (tool.args_schema is None and not _variadic_names(tool))


def _refuse_kept_names(tool: Tool, schema: JsonObject) -> None:
    if not (hasattr(tool, "func") or hasattr(tool, "coroutine")):
        return
    for name in sorted(_KEPT_BY_RUN & schema["properties"].keys()):
        raise ValueError(f'an argument may not be called "{name}": LangChain takes the name')


def synthetic_names(tool: Tool) -> frozenset[str]:
    """Fields that stand for `*args` and `**kwargs`; a caller's value for one cannot be passed."""
    return _SYNTHETIC if isinstance(tool.args_schema, dict) else _SYNTHETIC | _variadic_names(tool)


def _variadic_names(tool: Tool) -> frozenset[str]:
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    try:
        parameters = inspect.signature(body_of(tool)).parameters.values()
    except (TypeError, ValueError):
        return frozenset()
    return frozenset(p.name for p in parameters if p.kind in variadic)


def _drop_properties(schema: JsonObject, names: frozenset[str]) -> None:
    schema["properties"] = {k: v for k, v in schema["properties"].items() if k not in names}
    if isinstance(schema.get("required"), list):
        schema["required"] = [name for name in schema["required"] if name not in names]
        if not schema["required"]:
            del schema["required"]


def _drop_impossible(schema: JsonObject) -> None:
    """An optional argument that no JSON value can fill is not published."""
    required = schema.get("required", ())
    for name, given in list(schema["properties"].items()):
        if isinstance(given, dict) and given.get("not") == _NO_VALUE["not"]:
            if name in required:
                raise ValueError(f"argument {name} is of a Python type that JSON cannot carry")
            del schema["properties"][name]


def _drop_unused_definitions(schema: JsonObject) -> None:
    for key in ("$defs", "definitions"):
        definitions = schema.get(key)
        if not isinstance(definitions, dict):
            continue
        outside = {k: v for k, v in schema.items() if k != key}
        used, waiting = set[str](), _references(outside)
        while waiting:
            name = waiting.pop()
            if name not in used:
                used.add(name)
                waiting |= _references(definitions.get(name))
        schema[key] = {name: body for name, body in definitions.items() if name in used}
        if not schema[key]:
            del schema[key]


def _references(part: Any) -> set[str]:
    """Names under `$defs` that the part refers to, also through a pointer into one of them."""
    if isinstance(part, list):
        return {name for item in part for name in _references(item)}
    if not isinstance(part, dict):
        return set()
    found = {name for item in part.values() for name in _references(item)}
    target = part.get("$ref")
    if isinstance(target, str):
        found |= {_unescaped(name) for name in target.split("/")[2:]}
    return found


def _unescaped(pointer_part: str) -> str:
    return pointer_part.replace("~1", "/").replace("~0", "~")


def _has_older_keyword(value: Any) -> bool:
    """Keywords that 2020-12 dropped or reads differently: tuples were `items`."""
    if isinstance(value, list):
        return any(_has_older_keyword(item) for item in value)
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("items"), list) or "additionalItems" in value:
        return True
    return any(_has_older_keyword(item) for item in value.values())


def _modern_keywords(part: Any) -> Any:
    """Pydantic 1 writes draft 7."""
    if isinstance(part, list):
        return [_modern_keywords(item) for item in part]
    if not isinstance(part, dict):
        return part
    renamed = {"definitions": "$defs"}
    if isinstance(part.get("items"), list):
        renamed |= {"items": "prefixItems", "additionalItems": "items"}
    modern = {renamed.get(key, key): _modern_keywords(value) for key, value in part.items()}
    target = part.get("$ref")
    if isinstance(target, str):
        modern["$ref"] = target.replace("#/definitions/", "#/$defs/", 1)
    return modern
