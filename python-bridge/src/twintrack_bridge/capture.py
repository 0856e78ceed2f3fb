"""Seeing what a tool is called with and what it returns, without touching the user's object.

The tool is copied and only the copy's `_run` and `_arun` are replaced. They see the arguments
after LangChain has parsed them and the result before LangChain has made a message of it.

Inside a chain the tools are not in our hands, so `BaseTool.run` and `arun` are patched once to
swap a tool for its observed copy whenever a run is being recorded.
"""

from __future__ import annotations

import copy
import functools
import os
import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Protocol

from .errors import EffectRefused
from .loading import Tool

_OBSERVED = "_twintrack_observed"


class Observer(Protocol):
    """Stands between a tool and its body."""

    def call(self, tool: Tool, body: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Answer a call of `_run`."""
        ...

    async def acall(
        self, tool: Tool, body: Callable[..., Awaitable[Any]], args: Any, kwargs: Any
    ) -> Any:
        """Answer a call of `_arun`."""
        ...


class Unobserved:
    """Marks a context in which tools may run as they are: a direct `tools/call`."""


#: Follows tasks and LangChain's own threads, so that concurrent runs are never mixed up.
CURRENT: ContextVar[Observer | Unobserved | None] = ContextVar("twintrack_current", default=None)


class RecordedRuns:
    """Counts runs in recorded mode, during which a call of unknown origin is refused.

    A thread that the user started without its context does not know its run. It could belong to
    a recorded one, so it may not execute anything.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active = 0

    def __enter__(self) -> None:
        with self._lock:
            self._active += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._active -= 1

    def refuse_strangers(self, tool: Tool) -> None:
        """Refuse a call outside any run, when a recorded run may be behind it."""
        if self._active > 0 or os.environ.get("TWINTRACK_ROLE") == "shadow":
            raise EffectRefused(
                f"{tool.name} was called from a thread that does not know its run; "
                "it is not executed while recorded runs may be behind it"
            )


RECORDED_RUNS = RecordedRuns()


def observed(tool: Tool, observer: Observer) -> Tool:
    """A copy of the tool whose calls go through `observer`."""
    twin = copy.copy(tool)
    run, arun = tool._run, tool._arun

    @functools.wraps(run)  # LangChain reads the signature to see which extras a tool takes.
    def observed_run(*args: Any, **kwargs: Any) -> Any:
        return observer.call(tool, run, args, kwargs)

    @functools.wraps(arun)
    async def observed_arun(*args: Any, **kwargs: Any) -> Any:
        return await observer.acall(tool, arun, args, kwargs)

    # Past pydantic, which knows no such fields.
    for name, value in (("_run", observed_run), ("_arun", observed_arun), (_OBSERVED, True)):
        object.__setattr__(twin, name, value)
    return twin


def may_reach() -> bool:
    """Whether the code that runs now belongs to a tool or model call that may reach the world."""
    current = CURRENT.get()
    return isinstance(current, Unobserved) or bool(getattr(current, "reaching", bool)())


def note_attempt(attempt: str) -> None:
    """Tell the current run what the egress guard refused to it."""
    note = getattr(CURRENT.get(), "note_attempt", None)
    if note is not None:
        note(attempt)


_watcher: Observer | None = None


def watch(observer: Observer) -> None:
    """Let `observer` see the tool calls of this process that belong to no recorded run."""
    global _watcher
    _watcher = observer


@functools.cache
def install() -> None:
    """Patch `BaseTool.run` and `arun`, once per process."""
    from langchain_core.tools import BaseTool

    patched: Any = BaseTool
    run, arun = patched.run, patched.arun

    @functools.wraps(run)
    def run_observed(self: Tool, *args: Any, **kwargs: Any) -> Any:
        return run(_for_current_run(self), *args, **kwargs)

    @functools.wraps(arun)
    async def arun_observed(self: Tool, *args: Any, **kwargs: Any) -> Any:
        return await arun(_for_current_run(self), *args, **kwargs)

    patched.run, patched.arun = run_observed, arun_observed


def _watched(tool: Tool, watcher: Observer) -> Tool:
    """The tool as a watcher sees it; one that cannot be copied is left as it is."""
    try:
        return observed(tool, watcher)
    except Exception:
        return tool


def _for_current_run(tool: Tool) -> Tool:
    current = CURRENT.get()
    if getattr(tool, _OBSERVED, False) or isinstance(current, Unobserved):
        return tool
    if current is None:
        RECORDED_RUNS.refuse_strangers(tool)
        return tool if _watcher is None else _watched(tool, _watcher)
    return observed(tool, current)
