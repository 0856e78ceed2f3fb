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
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return []
    hints = type_hints(function)
    return [
        (name, hints.get(name, _resolved(p.annotation, function)), p.default)
        for name, p in parameters.items()
    ]


def type_hints(function: Any) -> dict[str, Any]:
    """Resolved annotations; those that cannot be resolved are left out one by one."""
    from typing import get_type_hints

    owner = _annotated(function)
    hints: dict[str, Any] = {}
    if owner is not None:
        try:
            hints = get_type_hints(owner, include_extras=True)
        except Exception:
            given = getattr(owner, "__annotations__", {}).items()
            resolved = {name: _resolved(annotation, owner) for name, annotation in given}
            hints = {name: hint for name, hint in resolved.items() if not isinstance(hint, str)}
    # Calling a class gives one of its objects, whatever its constructor is annotated with.
    return {**hints, "return": function} if inspect.isclass(function) else hints


def _annotated(function: Any) -> Any:
    """What carries the annotations of a signature; None when the signature carries its own."""
    function = inspect.unwrap(function, stop=_says_its_own)
    if inspect.ismethod(function):
        return _annotated(function.__func__)
    if getattr(function, "__signature__", None) is not None:
        return None
    if isinstance(function, partial):
        return _annotated(function.func)
    if inspect.isclass(function):
        constructor = _constructor(function)
        return None if constructor is None else _annotated(constructor)
    return function if inspect.isroutine(function) else _annotated(function.__call__)


def _says_its_own(function: Any) -> bool:
    return hasattr(function, "__signature__") or inspect.ismethod(function)


def _constructor(cls: type) -> Any:
    """The method whose parameters a call of the class has, in the order `inspect` looks."""
    made_by = inspect.getattr_static(type(cls), "__call__", None)
    own = [cls.__dict__.get(name) for name in ("__new__", "__init__")]
    inherited = [getattr(cls, name, None) for name in ("__new__", "__init__")]
    candidates = [getattr(one, "__func__", one) for one in (made_by, *own, *inherited)]
    return next((one for one in candidates if inspect.isfunction(one)), None)


def _resolved(annotation: Any, function: Any) -> Any:
    """A postponed annotation as the type it names, or as it is."""
    from typing import get_type_hints

    if not isinstance(annotation, str):
        return annotation
    holder = type("Holder", (), {"__annotations__": {"value": annotation}})
    try:
        return get_type_hints(holder, globalns=_globals(function), include_extras=True)["value"]
    except Exception:
        return annotation


def _globals(function: Any) -> dict[str, Any]:
    while not hasattr(function, "__globals__"):
        inner = getattr(function, "__func__", None) or getattr(function, "func", None)
        function = inner or getattr(function, "__call__", None)  # noqa: B004
        if inspect.isclass(function) or inspect.isbuiltin(function) or function is None:
            return {}
        if type(function).__name__ == "method-wrapper":
            return {}
    return function.__globals__


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
