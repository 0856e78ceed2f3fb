"""Arguments that the host fills and the caller must not.

LangChain hides them from the published schema but accepts them from anyone: a caller who sends
`user_id` reaches the function with it. Here a caller who sends one is refused, and the values
come from the host's own `_meta["twintrack/inject"]`.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, get_args, get_origin

from .loading import Tool

#: LangChain fills these by itself.
_FILLED_BY_LANGCHAIN = frozenset({"run_manager", "callbacks"})


@dataclass(frozen=True)
class Injected:
    """One injected argument under the name the tool's parser expects."""

    name: str
    #: Other spellings under which the parser would accept it.
    aliases: frozenset[str]
    required: bool
    #: `call_id` LangChain fills it; `value` JSON from the host; `runtime` only a graph has it.
    kind: str


def body_of(tool: Tool) -> Any:
    """The author's own function behind a tool."""
    for attribute in ("func", "coroutine"):
        function = getattr(tool, attribute, None)
        if function is not None:
            return function
    from langchain_core.tools import BaseTool

    is_async_only = getattr(type(tool), "_run", None) is getattr(BaseTool, "_run", None)
    return tool._arun if is_async_only else tool._run


def injected_arguments(tool: Tool) -> list[Injected]:
    """Every injected argument of a tool, from its function and from its schema."""
    found: dict[str, Injected] = {}
    for name, annotation, default in _signature_arguments(body_of(tool)):
        kind = _kind_of(annotation)
        if kind:
            required = default is inspect.Parameter.empty
            found[name] = Injected(name, frozenset(), required, kind)
    for name, annotation, field in _schema_arguments(tool):
        kind = _kind_of(annotation)
        if kind:
            found[name] = Injected(name, _aliases(field), _is_required(field), kind)
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
    """Names no caller may send: injected ones, their aliases, and what LangChain fills."""
    return _reserved_names(ById(tool))


@lru_cache(maxsize=512)
def _reserved_names(key: ById) -> frozenset[str]:
    tool = key.tool
    names = set(_FILLED_BY_LANGCHAIN)
    for injected in injected_arguments(tool):
        names |= {injected.name} | injected.aliases
    config = config_parameter(body_of(tool))
    return frozenset(names | ({config} if config else set()))


def config_parameter(function: Any) -> str | None:
    """The parameter annotated with RunnableConfig, which LangChain fills."""
    for name, annotation, _ in _signature_arguments(function):
        if getattr(annotation, "__name__", "") == "RunnableConfig" or any(
            getattr(part, "__name__", "") == "RunnableConfig" for part in get_args(annotation)
        ):
            return name
    return None


def published_names(tool: Tool) -> dict[str, str]:
    """From the parser's field names to the names in the published schema, where they differ."""
    fields = getattr(tool.args_schema, "model_fields", None)
    if not isinstance(fields, dict):
        return {}
    return {name: alias for name, field in fields.items() if (alias := _published_alias(field))}


def _published_alias(field: Any) -> str | None:
    alias = getattr(field, "validation_alias", None) or getattr(field, "alias", None)
    for choice in getattr(alias, "choices", (alias,)):
        if isinstance(choice, str):
            return choice
    return None


def _signature_arguments(function: Any) -> list[tuple[str, Any, Any]]:
    target: Any = function.func if isinstance(function, partial) else function
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return []
    hints = type_hints(target)
    return [(name, hints.get(name, p.annotation), p.default) for name, p in parameters.items()]


def type_hints(function: Any) -> dict[str, Any]:
    """Resolved annotations; those that cannot be resolved are left out one by one."""
    from typing import get_type_hints

    unwrapped = inspect.unwrap(function)
    if not inspect.isroutine(unwrapped) and not isinstance(unwrapped, type):
        unwrapped = getattr(unwrapped, "__call__", unwrapped)  # noqa: B004
    try:
        return get_type_hints(unwrapped, include_extras=True)
    except Exception:
        return _hints_one_by_one(unwrapped)


def _hints_one_by_one(function: Any) -> dict[str, Any]:
    from typing import get_type_hints

    resolved: dict[str, Any] = {}
    names = getattr(function, "__globals__", {})
    for name, annotation in getattr(function, "__annotations__", {}).items():
        holder = type("Holder", (), {"__annotations__": {name: annotation}})
        try:
            resolved.update(get_type_hints(holder, globalns=names, include_extras=True))
        except Exception:
            continue
    return resolved


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


def type_hints_of_class(cls: Any) -> dict[str, Any]:
    """A class's own annotations, empty when they cannot be resolved."""
    from typing import get_type_hints

    try:
        return get_type_hints(cls, include_extras=True)
    except Exception:
        return {}


def _annotation(field: Any) -> Any:
    """A pydantic field's annotation with its metadata: pydantic keeps the two apart."""
    from typing import Annotated

    metadata = tuple(getattr(field, "metadata", ()))
    return Annotated[(field.annotation, *metadata)] if metadata else field.annotation


def _aliases(field: Any) -> frozenset[str]:
    names = (getattr(field, "alias", None), getattr(field, "validation_alias", None))
    return frozenset(name for name in names if isinstance(name, str))


def _is_required(field: Any) -> bool:
    is_required = getattr(field, "is_required", None)
    return bool(is_required()) if callable(is_required) else bool(getattr(field, "required", True))


def _kind_of(annotation: Any) -> str | None:
    from langchain_core.tools import InjectedToolArg

    from_core = _class_names(get_origin(annotation) or annotation)
    if "_DirectlyInjectedToolArg" in from_core:
        return "runtime"
    for marker in get_args(annotation)[1:]:
        if isinstance(marker, InjectedToolArg) or (
            isinstance(marker, type) and issubclass(marker, InjectedToolArg)
        ):
            names = _class_names(marker if isinstance(marker, type) else type(marker))
            return "call_id" if "InjectedToolCallId" in names else "value"
    return None


def _class_names(cls: Any) -> set[str]:
    return {base.__name__ for base in getattr(cls, "__mro__", ())}
