"""A tool's arguments and results, in the form in which they are recorded.

The twin of `adapter/tool-record.ts`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from .errors import RecordingLossy, rebuild_error
from .injection import (
    ById,
    config_parameter,
    default_arguments,
    published_names,
    reserved_names,
)
from .ledger import canonical_text
from .loading import Tool
from .message_record import all_in, messages_in, order_in, revived, stored, told
from .result import raw_to_json
from .schema import return_annotation
from .value import JsonObject, JsonValue, in_digits, restore, to_json


def replayed(tool: Tool, call: JsonObject, kwargs: dict[str, Any]) -> Any:
    """The recorded value as the tool returned it.

    Raises:
        RecordingLossy: its Python object cannot be rebuilt.
        Exception: the tool threw, or was not done when its run was.
    """
    if "direct" in call:
        return revived(tool, call["direct"], kwargs)
    outcome = call["outcome"]
    if outcome["status"] == "threw":
        raise rebuild_error(outcome["error"])
    if outcome["status"] == "timed_out":
        raise TimeoutError(f"{tool.name} did not finish in the recorded run")
    if call.get("lossy"):
        raise RecordingLossy(
            f"{tool.name} returned what JSON cannot carry; it cannot be answered from a record"
        )
    # A copy: the chain may change what it is given, and the record must not follow.
    value = restore(in_digits(outcome["value"]), call.get("floats", ()))
    # A typed flow, whose calls have steps, saw data; the chain expects what the tool returns.
    return rebuilt(tool, value) if call.get("typed") or "step" in call else as_returned(tool, value)


def recorded_return(
    value: Any,
    *,
    has_artifact: bool,
    tool: Tool | None = None,
    kwargs: dict[str, Any] | None = None,
) -> tuple[JsonObject, JsonObject]:
    """The outcome of a call that came back, and what its record says of the value.

    `typed`: the object that it was can be rebuilt from the annotation of the tool. `direct`:
    messages and commands, in a form from which they are made again.
    """
    converted = raw_to_json(told(value), has_artifact=has_artifact)
    marks: JsonObject = {}
    if all_in(value):
        direct = tool and stored(tool, value, kwargs or {})
        marks.update({"direct": direct} if direct else {"lossy": True})
    elif converted.lossy:
        marks["typed" if _is_rebuilt(tool, value, converted.value) else "lossy"] = True
    if order_in(value):
        marks["partial"] = True
    if converted.floats:
        marks["floats"] = list(converted.floats)
    if refusal := next((m for m in messages_in(value) if m.status == "error"), None):
        error = {"name": "ToolException", "message": str(refusal.content)}
        return {"status": "threw", "error": error}, marks
    return {"status": "returned", "value": converted.value}, marks


def as_returned(tool: Tool, value: JsonValue) -> Any:
    """Data as the tool's body returns it: JSON has no pairs."""
    if returns_artifact(tool) and isinstance(value, list) and len(value) == 2:
        return tuple(value)
    return value


def rebuilt(tool: Tool, value: JsonValue) -> Any:
    """What the annotation of the tool promises, when all of the data is in it; else the data."""
    read = _reader(ById(tool))
    plain = as_returned(tool, value)
    if read is None:
        return plain
    try:
        made = read(plain)
        told = in_digits(raw_to_json(made, has_artifact=returns_artifact(tool)).value)
    except Exception:  # The annotation promises something else.
        return plain
    return made if canonical_text(told) == canonical_text(value) else plain


def _is_rebuilt(tool: Tool | None, value: Any, data: JsonValue) -> bool:
    if tool is None:
        return False
    made = rebuilt(tool, in_digits(data))
    try:
        return type(made) is type(value) and bool(made == value)
    except Exception:  # Arrays, and objects that compare themselves in their own way.
        return False


@lru_cache(maxsize=512)
def _reader(key: ById) -> Callable[[JsonValue], Any] | None:
    annotation = return_annotation(key.tool)
    if annotation is None:
        return None
    try:
        from pydantic import TypeAdapter

        return TypeAdapter(annotation).validate_python
    except Exception:  # It is no type that data could be read as.
        return None


def returns_artifact(tool: Tool) -> bool:
    """Whether it returns a pair of content and artifact."""
    return getattr(tool, "response_format", "") == "content_and_artifact"


def named_arguments(tool: Tool, body: Any, args: Any, kwargs: Any) -> JsonValue:
    """The parsed arguments under their published names, without what LangChain or the host fills.

    Published, because the other side of a trial knows only the contract.
    """
    hidden = reserved_names(tool) | {config_parameter(body) or "run_manager"}
    published = published_names(tool)
    given = {**_defaults(body, args, kwargs), **kwargs}
    missing = {} if "tool_input" in given else default_arguments(ById(tool))
    named = {**given, **{k: v for k, v in missing.items() if k not in given}}
    shown = {published.get(name, name): v for name, v in named.items() if name not in hidden}
    return to_json(shown).value


def _defaults(body: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """Positional arguments by name, and defaults that the body itself would apply."""
    try:
        signature = inspect.signature(body)
        bound = signature.bind_partial(*args, **kwargs)
    except (TypeError, ValueError):
        return {"tool_input": args[0]} if args else {}
    bound.apply_defaults()
    plain = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    named = {
        name: bound.arguments[name]
        for name, parameter in signature.parameters.items()
        if parameter.kind in plain and name in bound.arguments
    }
    rest = bound.arguments.get("args")
    if isinstance(rest, tuple) and rest:
        named["tool_input"] = rest[0]  # A legacy Tool hands its one argument on by position.
    return named
