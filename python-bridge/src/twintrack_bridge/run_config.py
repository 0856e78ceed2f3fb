"""LangChain's run configuration, as a trigger carries it, on its way into a chain or a tool."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

from .value import JsonObject, JsonValue

#: Where a `tools/call` carries it.
META_KEY = "twintrack/config"


class RunConfig(NamedTuple):
    """What the caller said of a run beside its input."""

    #: What LangChain calls the config: `configurable`, `metadata`, `tags`, `recursion_limit`.
    config: JsonObject
    #: LangGraph's context, which travels beside the config.
    context: JsonValue = None

    def for_runnable(self, runnable: Any) -> dict[str, Any]:
        """Keyword arguments for `ainvoke` and `astream`; none when there is nothing to say.

        Raises:
            TypeError: there is a context, and the runnable is no graph that takes one.
        """
        config = {"config": self.config} if self.config else {}
        return config | self._context_for(_innermost(runnable).ainvoke)

    def for_function(self, function: Any) -> dict[str, Any]:
        """Those for a plain function; runnables in it find the config all the same."""
        if self.config:
            from langchain_core.runnables.config import var_child_runnable_config

            var_child_runnable_config.set(self.config)  # pyright: ignore[reportArgumentType]
        takes_it = self.config and "config" in _parameters(function)
        config = {"config": self.config} if takes_it else {}
        return config | self._context_for(function)

    def _context_for(self, function: Any) -> dict[str, Any]:
        if self.context is None:
            return {}
        if "context" not in _parameters(function):
            raise TypeError("the chain takes no context: a LangGraph graph does, from 0.6 on")
        return {"context": self.context}


NOTHING = RunConfig({})


def run_config_of(given: JsonValue) -> RunConfig:
    """What was sent, taken apart; a caller that sent none said nothing."""
    if not isinstance(given, dict):
        return NOTHING
    config = dict(given)
    return RunConfig(config, config.pop("context", None))


def _innermost(runnable: Any) -> Any:
    """What `with_config`, `with_retry` and the like are wrapped around: they hand keywords on."""
    while callable(getattr(inner := getattr(runnable, "bound", None), "ainvoke", None)):
        runnable = inner
    return runnable


def _parameters(function: Any) -> frozenset[str]:
    try:
        return frozenset(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return frozenset()
