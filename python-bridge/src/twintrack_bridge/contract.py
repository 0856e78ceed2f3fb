"""A tool's contract: its legal name and its input and output JSON Schema (2020-12).

Not LangChain's `tool_call_schema`: it drops aliases that the parser insists on, publishes `*args`
and `**kwargs` as ordinary properties, and gives a legacy `Tool` the schema of RunnableConfig.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin

from .errors import message_of
from .injection import Injected, body_of, injected_arguments, reserved_names, type_hints
from .loading import Tool, Unsupported
from .value import JsonObject, to_json

META_KEY = "twintrack/contract"

_NAME_LENGTH = 64
_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]")

#: What pydantic calls the fields it makes for `*args`, `**kwargs` and positional-only parameters.
_SYNTHETIC = ("v__args", "v__duplicate_kwargs", "v__positional_only")


@dataclass(frozen=True)
class Contract:
    """What a caller has to know of a tool."""

    name: str
    original_name: str
    description: str
    input_schema: JsonObject
    output_schema: JsonObject | None
    injected: list[Injected] = field(default_factory=list[Injected])

    def as_mcp(self) -> JsonObject:
        """The tool as an entry of MCP's `tools/list`."""
        meta: JsonObject = {"originalName": self.original_name}
        needed = [{"name": i.name, "required": i.required} for i in self.injected]
        if needed:
            meta["injected"] = needed
        listed: JsonObject = {
            "name": self.name,
            "title": self.original_name,
            "description": self.description,
            "inputSchema": self.input_schema,
            "_meta": {META_KEY: meta},
        }
        if self.output_schema is not None:
            listed["outputSchema"] = self.output_schema
        return listed


@dataclass(frozen=True)
class Bridged:
    """A tool with its contract."""

    tool: Tool
    contract: Contract


def bridge(loaded: list[Tool | Unsupported]) -> tuple[list[Bridged], list[Unsupported]]:
    """Contracts for all tools; what has none is returned with the reason."""
    bridged: list[Bridged] = []
    unsupported: list[Unsupported] = []
    taken: set[str] = set()
    for item in loaded:
        if isinstance(item, Unsupported):
            unsupported.append(item)
            continue
        try:
            bridged.append(Bridged(item, contract_of(item, taken)))
        except Exception as error:
            unsupported.append(Unsupported(str(item.name), message_of(error)))
    return bridged, unsupported


def contract_of(tool: Tool, taken: set[str]) -> Contract:
    """The tool's contract, under a name not in `taken`, to which it is added.

    Raises:
        ValueError: the tool cannot be called through the bridge; the message says why.
    """
    _refuse_uncallable(tool)
    schema = input_schema(tool)
    injected = [one for one in injected_arguments(tool) if one.kind == "value"]
    return Contract(
        name=legal_name(str(tool.name), taken),
        original_name=str(tool.name),
        description=str(tool.description or ""),
        input_schema=schema,
        output_schema=output_schema(tool),
        injected=injected,
    )


def legal_name(original: str, taken: set[str]) -> str:
    """A name of `[A-Za-z0-9_-]{1,64}` that is not taken; a changed name carries a hash."""
    name = _ILLEGAL.sub("_", original)
    if name != original or not 1 <= len(name) <= _NAME_LENGTH:
        name = _with_suffix(
            name, hashlib.sha256(original.encode("utf-8", "replace")).hexdigest()[:8]
        )
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = _with_suffix(name, str(number)), number + 1
    taken.add(candidate)
    return candidate


def _with_suffix(name: str, suffix: str) -> str:
    return f"{name[: _NAME_LENGTH - len(suffix) - 1]}_{suffix}"


def _refuse_uncallable(tool: Tool) -> None:
    for one in injected_arguments(tool):
        if one.kind == "runtime" and one.required:
            raise ValueError(f"argument {one.name} is a ToolRuntime, which only a graph can give")
    function = body_of(tool)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            raise ValueError(
                f"argument {parameter.name} is positional-only; LangChain passes names"
            )
        if parameter.name == "config" and _is_plain_config(tool, function):
            raise ValueError('an argument may not be called "config": LangChain takes the name')


def _is_plain_config(tool: Tool, function: Any) -> bool:
    from .injection import config_parameter

    wrapped = getattr(tool, "func", None) or getattr(tool, "coroutine", None)
    return wrapped is not None and config_parameter(function) != "config"


def input_schema(tool: Tool) -> JsonObject:
    """JSON Schema of the arguments, as the tool's own parser takes them.

    Raises:
        ValueError: the root is not an object, so MCP cannot carry it.
    """
    schema = _raw_input_schema(tool)
    for key in ("title", "description"):
        schema.pop(key, None)
    if "$ref" in schema or schema.get("type", "object") != "object":
        raise ValueError("the arguments are not an object: MCP cannot carry them")
    _drop_properties(schema, reserved_names(tool) | _synthetic_names(tool))
    schema = {"type": "object", **schema}
    schema.setdefault("properties", {})
    if not schema["properties"] and schema.keys() <= {"type", "properties"}:
        schema["additionalProperties"] = False
    _drop_unused_definitions(schema)
    return to_json(schema).value


def _raw_input_schema(tool: Tool) -> JsonObject:
    from langchain_core.tools import Tool as SingleInputTool

    schema = tool.args_schema
    if isinstance(schema, dict):
        return dict(schema)
    if schema is None and isinstance(tool, SingleInputTool):
        return {
            "properties": {"tool_input": {"type": "string"}},
            "required": ["tool_input"],
        }
    model: Any = tool.get_input_schema() if schema is None else schema
    if hasattr(model, "model_json_schema"):
        return _model_schema(model)
    return dict(model.schema(by_alias=True))  # pydantic v1


def _model_schema(model: Any) -> JsonObject:
    from pydantic import BaseModel

    if not issubclass(model, BaseModel):
        raise ValueError(f"{model.__name__} is not a pydantic model")
    return model.model_json_schema(
        by_alias=True, mode="validation", schema_generator=_schema_generator()
    )


def _schema_generator() -> Any:
    from pydantic.json_schema import GenerateJsonSchema

    class Lenient(GenerateJsonSchema):
        """One field without a JSON Schema admits anything; it does not cost the whole tool."""

        def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> Any:
            return {}

    return Lenient


def _synthetic_names(tool: Tool) -> frozenset[str]:
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    names = set(_SYNTHETIC)
    if isinstance(tool.args_schema, dict):
        return frozenset(names)
    try:
        parameters = inspect.signature(body_of(tool)).parameters.values()
    except (TypeError, ValueError):
        return frozenset(names)
    return frozenset(names | {p.name for p in parameters if p.kind in variadic})


def _drop_properties(schema: JsonObject, names: frozenset[str]) -> None:
    if isinstance(schema.get("properties"), dict):
        schema["properties"] = {k: v for k, v in schema["properties"].items() if k not in names}
    if isinstance(schema.get("required"), list):
        schema["required"] = [name for name in schema["required"] if name not in names]
        if not schema["required"]:
            del schema["required"]


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
    if isinstance(part, list):
        return {name for item in part for name in _references(item)}
    if not isinstance(part, dict):
        return set()
    found = {name for item in part.values() for name in _references(item)}
    target = part.get("$ref")
    if isinstance(target, str):
        found.add(target.rpartition("/")[2].replace("~1", "/").replace("~0", "~"))
    return found


def output_schema(tool: Tool) -> JsonObject | None:
    """From a concrete return annotation; None when there is none or its root is not an object.

    MCP before 2026-07-28 allows only objects, and a wrong output schema is worse than none.
    """
    annotation = type_hints(body_of(tool)).get("return")
    if getattr(tool, "response_format", "content") == "content_and_artifact":
        parts = get_args(annotation) if get_origin(annotation) is tuple else ()
        annotation = parts[1] if len(parts) == 2 else None
    if annotation is None or annotation in (Any, str, object, dict):
        return None
    try:
        from pydantic import TypeAdapter

        schema = TypeAdapter(annotation).json_schema(mode="serialization")
    except Exception:
        return None
    if schema.get("type") != "object" or not (schema.keys() & {"properties", "$defs"}):
        return None
    schema.pop("title", None)
    return to_json(schema).value
