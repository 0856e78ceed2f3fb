"""Where LangGraph reads and writes checkpoints: a checkpointer's own methods, replaced in place.

The twin of `adapter/checkpoint.ts`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from .memory import current_memory
from .subclasses import patch_subclasses
from .threads import Threads

#: A clone that LangGraph makes of a checkpointer has the same threads.
_ORIGIN = "_twintrack_origin"


@functools.cache
def install() -> None:
    """Patch every checkpointer class, once per process."""
    base: Any = BaseCheckpointSaver
    patch_subclasses(base, Threads.METHODS, _patched)
    if hasattr(base, "with_allowlist"):
        base.with_allowlist = _marked(base.with_allowlist)


def _marked(with_allowlist: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(with_allowlist)
    def marked(self: Any, *args: Any, **kwargs: Any) -> Any:
        clone = with_allowlist(self, *args, **kwargs)
        if clone is not self:
            setattr(clone, _ORIGIN, getattr(self, _ORIGIN, self))
        return clone

    return marked


def _patched(name: str, body: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(body)  # LangGraph reads which parameters a method takes.
    def patched(self: Any, *args: Any, **kwargs: Any) -> Any:
        memory = current_memory()
        if memory is None:
            return body(self, *args, **kwargs)
        origin = getattr(self, _ORIGIN, self)
        threads = memory.held(origin, lambda: Threads(self, memory))
        act = getattr(threads, name)
        return act(lambda: body(self, *args, **kwargs), *args, **kwargs)

    return patched
