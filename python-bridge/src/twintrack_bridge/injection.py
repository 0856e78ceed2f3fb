"""Arguments that the host fills and the caller must not.

LangChain hides them from the published schema but accepts them from anyone: a caller who sends
`user_id` reaches the function with it. Here a caller who sends one is refused, and the values
come from the host (`binding.py`).
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

from .loading import Tool
from .signature import (
    body_of,
    config_parameter,
    implementations,
    signature_arguments,
    type_hints_of_class,
)

#: LangChain fills these by itself.
_FILLED_BY_LANGCHAIN = frozenset({"run_manager", "callbacks"})

#: `call_id` LangChain fills it; `value` any JSON value; `runtime` a ToolRuntime, made from JSON;
#: `store` an object that only the host's own Python code can give.
Kind = Literal["call_id", "value", "runtime", "store"]


@dataclass(frozen=True)
class Injected:
    """One injected argument under the name the tool's parser expects."""

    name: str
    #: Other spellings under which the parser would accept it.
    aliases: frozenset[str]
    required: bool
    kind: Kind
    annotation: Any


def injected_arguments(tool: Tool) -> list[Injected]:
    """Every injected argument of a tool, from its functions and from its schema."""
    found: dict[str, Injected] = {}
    for function in implementations(tool):
        for name, annotation, default in signature_arguments(function):
            kind = _kind_of(annotation)
            if kind:
                required = default is inspect.Parameter.empty
                found[name] = Injected(name, frozenset(), required, kind, annotation)
    for name, annotation, field in _schema_arguments(tool):
        kind = _kind_of(annotation) or (found[name].kind if name in found else None)
        if kind:
            found[name] = Injected(name, _aliases(field), _is_required(field), kind, annotation)
    for name in getattr(tool, "_injected_args_keys", frozenset[str]()) - found.keys():
        # LangChain would take it from the caller, for whatever reason.
        found[name] = Injected(name, frozenset(), True, "value", Any)
    return list(found.values())


class ById:
    """A tool as a cache key: tools can be changed and so have no hash."""

    def __init__(self, tool: Tool) -> None:
        self.tool = tool

    def __hash__(self) -> int:
        return id(self.tool)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ById) and other.tool is self.tool


@lru_cache(maxsize=512)
def default_arguments(key: ById) -> dict[str, Any]:
    """Defaults of the author's own function, which LangChain before 1.0 does not fill in."""
    try:
        parameters = inspect.signature(body_of(key.tool)).parameters.values()
    except (TypeError, ValueError):
        return {}
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}


def reserved_names(tool: Tool) -> frozenset[str]:
    """Names that are no arguments of the caller: injected ones, and what LangChain fills."""
    return _FILLED_BY_LANGCHAIN | refused_names(tool) | _config_names(ById(tool))


def refused_names(tool: Tool) -> frozenset[str]:
    """Names a caller may not send, because with them the tool would take the caller's value."""
    return _refused_names(ById(tool))


@lru_cache(maxsize=512)
def _refused_names(key: ById) -> frozenset[str]:
    tool = key.tool
    names = set[str]()
    for injected in injected_arguments(tool):
        names |= {injected.name} | injected.aliases
    fields = {name for name, _, _ in _schema_arguments(tool)}
    for function in implementations(tool):
        filled = _FILLED_BY_LANGCHAIN & {name for name, _, _ in signature_arguments(function)}
        filled |= {name} if (name := config_parameter(function)) else set()
        # A pydantic schema drops what it does not know; a function takes it.
        names |= filled & fields if hasattr(tool.args_schema, "__mro__") else filled
    return frozenset(names)


@lru_cache(maxsize=512)
def _config_names(key: ById) -> frozenset[str]:
    found = (config_parameter(function) for function in implementations(key.tool))
    return frozenset(name for name in found if name)


def published_names(tool: Tool) -> dict[str, str]:
    """From the parser's field names to the names in the published schema, where they differ."""
    return {
        name: alias
        for name, _, field in _schema_arguments(tool)
        if (alias := _published_alias(field)) and alias != name
    }


def _published_alias(field: Any) -> str | None:
    alias = getattr(field, "validation_alias", None) or getattr(field, "alias", None)
    for choice in getattr(alias, "choices", (alias,)):
        if isinstance(choice, str):
            return choice
    return None


def _schema_arguments(tool: Tool) -> list[tuple[str, Any, Any]]:
    schema = tool.args_schema
    fields = getattr(schema, "model_fields", None)
    if isinstance(fields, dict):
        return [(name, _annotation(field), field) for name, field in fields.items()]
    fields = getattr(schema, "__fields__", None)
    if isinstance(fields, dict):
        hints = type_hints_of_class(schema)
        return [(name, hints.get(name), field) for name, field in fields.items()]
    return []


def _annotation(field: Any) -> Any:
    """A pydantic field's annotation with its metadata: pydantic keeps the two apart."""
    from typing import Annotated

    metadata = tuple(getattr(field, "metadata", ()))
    return Annotated[(field.annotation, *metadata)] if metadata else field.annotation


def _aliases(field: Any) -> frozenset[str]:
    names = set[str]()
    for alias in (getattr(field, "alias", None), getattr(field, "validation_alias", None)):
        for choice in getattr(alias, "choices", (alias,)):
            # Of a path its first key: whatever lies under it is the host's.
            first = next(iter(getattr(choice, "path", (choice,))), None)
            names |= {first} if isinstance(first, str) else set()
    return frozenset(names)


def _is_required(field: Any) -> bool:
    is_required = getattr(field, "is_required", None)
    return bool(is_required()) if callable(is_required) else bool(getattr(field, "required", True))


def _kind_of(annotation: Any) -> Kind | None:
    from langchain_core.tools import InjectedToolArg

    if "_DirectlyInjectedToolArg" in _class_names(get_origin(annotation) or annotation):
        return "runtime"
    for marker in get_args(annotation)[1:]:
        if isinstance(marker, InjectedToolArg) or (
            isinstance(marker, type) and issubclass(marker, InjectedToolArg)
        ):
            names = _class_names(marker if isinstance(marker, type) else type(marker))
            if "InjectedToolCallId" in names:
                return "call_id"
            return "store" if "InjectedStore" in names else "value"
    return None


def _class_names(cls: Any) -> set[str]:
    return {base.__name__ for base in getattr(cls, "__mro__", ())}
