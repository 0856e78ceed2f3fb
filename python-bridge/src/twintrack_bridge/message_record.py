"""Messages and commands that a tool returned: what a caller is told, and what can be made again.

The twin of `adapter/message-record.ts` and `adapter/command.ts`. A candidate is given data. A graph
that runs once more as a shadow needs the objects: they are kept as langgraph's own serialiser
writes them.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .injection import injected_arguments
from .loading import Tool

#: Stands for the id of the tool call; another run makes the same call under another one.
_OWN_ID = "twintrack:own-call"


def is_message(value: Any) -> bool:
    """Whether it is a tool message, of whatever copy of LangChain."""
    return hasattr(value, "tool_call_id") and hasattr(value, "content")


def is_command(value: Any) -> bool:
    """Whether it is a langgraph Command."""
    return type(value).__name__ == "Command" and hasattr(value, "goto")


def all_in(returned: Any) -> list[Any]:
    """The messages and commands a tool returned, alone or in a list; empty for anything else."""
    ones: list[Any] = returned if isinstance(returned, list) else [returned]
    return ones if all(is_message(one) or is_command(one) for one in ones) else []


def order_in(returned: Any) -> str | None:
    """The kind of what only a graph can follow among what a tool returned."""
    ones: list[Any] = returned if isinstance(returned, list) else [returned]
    return next((type(one).__name__ for one in ones if _is_order(one)), None)


def _is_order(value: Any) -> bool:
    if is_command(value):
        return bool(value.goto) or value.resume is not None or value.graph is not None
    return type(value).__name__ == "Send" and hasattr(value, "node")


def told(returned: Any) -> Any:
    """What a caller is given: messages' content, commands' updates, anything else as it is."""
    ones = all_in(returned)
    commands = [one for one in ones if is_command(one)]
    if not ones:
        return returned
    each = [{"update": one.update} for one in commands] or [one.content for one in ones]
    return each[0] if len(each) == 1 else each


def messages_in(returned: Any) -> list[Any]:
    """The tool messages that a model would read, also those in the update of a command."""
    found: list[Any] = []
    for one in all_in(returned):
        if is_message(one):
            found.append(one)
        elif isinstance(one.update, dict):
            found += [m for m in one.update.get("messages") or () if is_message(m)]
    return found


def stored(tool: Tool, returned: Any, kwargs: dict[str, Any]) -> str | None:
    """A form from which messages and commands are made again; None when something would be lost."""
    if not all_in(returned):
        return None
    own = call_id_of(tool, kwargs)
    try:
        marked = _with_id(returned, lambda there: _OWN_ID if there == own else there)
        text = _dumped(marked)
        return text if _dumped(_loaded(text)) == text else None
    except Exception:  # No langgraph, or what it has no form for.
        return None


def revived(tool: Tool, text: str, kwargs: dict[str, Any]) -> Any:
    """The objects again, as answers to the call that is made now."""
    own = call_id_of(tool, kwargs) or ""
    return _with_id(_loaded(text), lambda there: own if there == _OWN_ID else there)


def call_id_of(tool: Tool, kwargs: dict[str, Any]) -> str | None:
    """The id of the tool call, where the tool asked for it: it needs it for its messages."""
    for argument in injected_arguments(tool):
        value = kwargs.get(argument.name)
        if argument.kind == "call_id" and isinstance(value, str):
            return value
        if argument.kind == "runtime":
            return getattr(value, "tool_call_id", None)
    return None


def _dumped(value: Any) -> str:
    kind, data = _serialiser().dumps_typed(value)
    return f"{kind}:{base64.b64encode(data).decode()}"


def _loaded(text: str) -> Any:
    kind, _, data = text.partition(":")
    return _serialiser().loads_typed((kind, base64.b64decode(data)))


def _serialiser() -> Any:
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    return JsonPlusSerializer()


def _with_id(value: Any, renamed: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_with_id(item, renamed) for item in value]
    if isinstance(value, dict):
        return {name: _with_id(item, renamed) for name, item in value.items()}
    if is_message(value) and hasattr(value, "model_copy"):
        return value.model_copy(update={"tool_call_id": renamed(str(value.tool_call_id))})
    if is_command(value):
        return replace(value, update=_with_id(value.update, renamed))
    return value
