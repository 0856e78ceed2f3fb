"""The author's own functions behind a tool, and what their signatures say."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any, get_args

from .loading import Tool


def implementations(tool: Tool) -> list[Any]:
    """The author's own functions behind a tool: sync, async, or both."""
    wrapped = [getattr(tool, attribute, None) for attribute in ("func", "coroutine")]
    found = [function for function in wrapped if function is not None]
    if found:
        return found
    methods = [tool._run, tool._arun]
    own = [method for method in methods if not is_langchain_code(method)]
    return own or methods[:1]


def body_of(tool: Tool) -> Any:
    """The function whose signature says what the tool takes; one that takes anything says less."""
    found = implementations(tool)
    return next((function for function in found if not _takes_anything(function)), found[0])


def is_langchain_code(function: Any) -> bool:
    """True when the method was inherited and not written by the tool's author."""
    return str(getattr(function, "__module__", "")).startswith("langchain_core.tools")


def is_single_input(tool: Tool) -> bool:
    """True for the legacy `Tool`, which takes one value under any name."""
    return any(
        base.__name__ == "Tool" and base.__module__.startswith("langchain_core.tools")
        for base in type(tool).__mro__
    )


def _takes_anything(function: Any) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return bool(parameters) and all(p.kind in variadic for p in parameters)


def config_parameter(function: Any) -> str | None:
    """The parameter annotated with RunnableConfig, which LangChain fills."""
    for name, annotation, _ in signature_arguments(function):
        if getattr(annotation, "__name__", "") == "RunnableConfig" or any(
            getattr(part, "__name__", "") == "RunnableConfig" for part in get_args(annotation)
        ):
            return name
    return None


def signature_arguments(function: Any) -> list[tuple[str, Any, Any]]:
    """Name, resolved annotation and default of each parameter; nothing for a builtin."""
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

    unwrapped = inspect.unwrap(function.func if isinstance(function, partial) else function)
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


def type_hints_of_class(cls: Any) -> dict[str, Any]:
    """A class's own annotations, empty when they cannot be resolved."""
    from typing import get_type_hints

    try:
        return get_type_hints(cls, include_extras=True)
    except Exception:
        return {}


def required_names(function: Any) -> list[str]:
    """Parameters without a default that can be passed by name."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [p.name for p in parameters if p.kind in named and p.default is p.empty]
