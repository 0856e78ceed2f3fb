"""Shows tracers what a tool was really called with and what it really returned.

Callbacks are told texts only. A call without a tracer among its callbacks is left as it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from .loading import Tool
from .tool_record import named_arguments, returns_artifact


class TellsTools(Protocol):
    """A callback handler that wants to see the bodies of tool calls."""

    def tool_called(self, run_id: Any, args: Any) -> None:
        """The parsed arguments."""
        ...

    def tool_returned(self, run_id: Any, value: Any, *, has_artifact: bool) -> None:
        """The raw result."""
        ...


class _Witness:
    """Sees the bodies of tools, for the tracers among the callbacks of the call."""

    def call(self, tool: Tool, body: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Observe `_run`."""
        tracers = _tracers_here()
        for tracer, run_id in tracers:
            _tell_arguments(tracer, run_id, tool, body, args, kwargs)
        value = body(*args, **kwargs)
        _tell_result(tracers, tool, value)
        return value

    async def acall(
        self, tool: Tool, body: Callable[..., Awaitable[Any]], args: Any, kwargs: Any
    ) -> Any:
        """Observe `_arun`."""
        tracers = _tracers_here()
        for tracer, run_id in tracers:
            _tell_arguments(tracer, run_id, tool, body, args, kwargs)
        value = await body(*args, **kwargs)
        _tell_result(tracers, tool, value)
        return value


#: There is one; it finds the tracers of each call itself.
WITNESS = _Witness()


def _tell_arguments(
    tracer: TellsTools, run_id: Any, tool: Tool, body: Any, args: Any, kwargs: Any
) -> None:
    try:
        tracer.tool_called(run_id, named_arguments(tool, body, args, kwargs))
    except Exception:
        return  # The call is told with the arguments as they came in.


def _tell_result(tracers: list[tuple[TellsTools, Any]], tool: Tool, value: Any) -> None:
    has_artifact = returns_artifact(tool)
    for tracer, run_id in tracers:
        tracer.tool_returned(run_id, value, has_artifact=has_artifact)


def _tracers_here() -> list[tuple[TellsTools, Any]]:
    """The tracers of the tool call that runs now, with its run id: LangChain keeps both at hand."""
    try:
        from langchain_core.runnables.config import var_child_runnable_config

        callbacks: Any = (var_child_runnable_config.get() or {}).get("callbacks")
        handlers = {id(one): one for one in getattr(callbacks, "handlers", ())}
        run_id = getattr(callbacks, "parent_run_id", None)
        return [(one, run_id) for one in handlers.values() if hasattr(one, "tool_called")]
    except Exception:
        return []
