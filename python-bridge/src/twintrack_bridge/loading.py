"""From `package.module:attribute` to tools and chains.

A target that cannot be imported ends the process with its reason. A single tool that cannot be
bridged is listed as unsupported and never hides the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from .errors import message_of
from .target import load_object

Tool = Any  # A langchain_core BaseTool of whatever version the user has.


class Unsupported(NamedTuple):
    """Something among the tools that cannot be called through the bridge, and why."""

    name: str
    reason: str


def load_tools(targets: list[str]) -> list[Tool | Unsupported]:
    """All tools behind the targets, in order."""
    loaded: list[Tool | Unsupported] = []
    for target in targets:
        loaded.extend(_expand(load_object(target), target.partition(":")[2]))
    return loaded


def _expand(value: Any, name: str) -> Iterator[Tool | Unsupported]:
    from langchain_core.tools import BaseTool

    if isinstance(value, BaseTool):
        yield value
    elif callable(getattr(value, "get_tools", None)) and not isinstance(value, type):
        yield from _expand_toolkit(value, name)
    elif isinstance(value, Mapping) and "name" not in value and "type" not in value:
        for key, item in value.items():
            yield from _expand(item, str(key))
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, item in enumerate(value):
            yield from _expand(item, f"{name}[{index}]")
    else:
        yield _guarded(_single, value, name)


def _expand_toolkit(toolkit: Any, name: str) -> Iterator[Tool | Unsupported]:
    try:
        tools = list(toolkit.get_tools())
    except Exception as error:
        yield Unsupported(name, f"get_tools() raised {type(error).__name__}: {message_of(error)}")
        return
    yield from _expand(tools, name)


def _guarded(build: Callable[[Any, str], Tool], value: Any, name: str) -> Tool | Unsupported:
    try:
        return build(value, name)
    except Exception as error:
        return Unsupported(getattr(value, "__name__", None) or name, message_of(error))


def _single(value: Any, name: str) -> Tool | Unsupported:
    import inspect

    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool, StructuredTool

    if isinstance(value, type) and issubclass(value, BaseTool):
        return value()
    if isinstance(value, Mapping):
        return Unsupported(
            str(value.get("name", name)), "a definition without code: there is nothing to call"
        )
    if isinstance(value, Runnable):
        return Unsupported(name, "a runnable, not a tool: pass runnable.as_tool(...), or --chain")
    if isinstance(value, type) or not callable(value):
        return Unsupported(name, f"{type(value).__name__} is neither a tool nor callable")
    target: Any = value.func if isinstance(value, partial) else value
    tool_name = getattr(target, "__name__", None) or type(value).__name__
    description = inspect.getdoc(target) or tool_name
    body: Any = value
    if not inspect.isroutine(value) and not isinstance(value, partial):
        body = value.__call__  # An object with `__call__`: its bound method has the signature.
    kind = {"coroutine": body} if inspect.iscoroutinefunction(body) else {"func": body}
    return StructuredTool.from_function(name=tool_name, description=description, **kind)
