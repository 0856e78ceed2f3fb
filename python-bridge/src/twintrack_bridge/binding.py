"""Values for injected arguments: from the request's `_meta`, or from the host's own Python code.

`--inject package.module:attribute` names a mapping by argument name, or a function of the tool's
and the argument's name that raises LookupError for what it does not give. It wins over `_meta`,
because a value that code of this process guards is not for a caller to choose.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar, get_args, get_origin

from .contract import Bridged
from .errors import INVALID_PARAMS, RequestError, message_of
from .injection import Injected
from .value import JsonObject, JsonValue

#: Called with whatever a tool writes to its runtime's stream.
Write = Callable[[Any], None]


class Binding:
    """What `--inject` gives."""

    def __init__(self, given: Any = None) -> None:
        self._given = given

    def binds(self, tool: str, argument: str) -> bool:
        """Whether the argument will be there; a function is asked only at the call."""
        if isinstance(self._given, Mapping):
            return argument in self._given
        return callable(self._given)

    def value(self, tool: str, argument: str) -> Any:
        """The value.

        Raises:
            LookupError: there is none.
        """
        if isinstance(self._given, Mapping):
            return self._given[argument]
        if callable(self._given):
            return self._given(tool, argument)
        raise LookupError(argument)


class Host(NamedTuple):
    """What the host gives to one call."""

    sent: JsonObject
    binding: Binding
    call_id: str
    config: JsonObject
    #: For a runtime to which the host gave none.
    context: JsonValue
    write: Write


def injected_values(bridged: Bridged, host: Host) -> dict[str, Any]:
    """The injected arguments of one call.

    Raises:
        RequestError: a required one is missing, or one was sent that is not injectable.
    """
    known = {one.name: one for one in bridged.injected if one.kind != "call_id"}
    if unknown := sorted(host.sent.keys() - known):
        raise RequestError(
            INVALID_PARAMS, f"{bridged.tool.name} has no injected argument {', '.join(unknown)}"
        )
    values: dict[str, Any] = {}
    for name, one in known.items():
        given = _given(bridged, one, host)
        if given is not _NOTHING:
            values[name] = _runtime(one, given, host) if one.kind == "runtime" else given
    missing = [one.name for one in known.values() if one.required and one.name not in values]
    if missing:
        raise RequestError(
            INVALID_PARAMS,
            f"{bridged.tool.name} needs the host to inject {', '.join(missing)}: send it in "
            '_meta["twintrack/inject"], or start the bridge with --inject',
            {"code": "TOOL_UNSUPPORTED"},
        )
    return values


_NOTHING: Any = object()


def _given(bridged: Bridged, one: Injected, host: Host) -> Any:
    try:
        return host.binding.value(str(bridged.tool.name), one.name)
    except LookupError:
        return _NOTHING if one.kind == "store" else host.sent.get(one.name, _NOTHING)


def _runtime(one: Injected, given: Any, host: Host) -> Any:
    """A ToolRuntime from the host's JSON: state and context in the types the tool asks for."""
    own = {"config": host.config, "tool_call_id": host.call_id, "stream_writer": host.write}
    cls: Any = get_origin(one.annotation) or one.annotation
    if not hasattr(cls, "__dataclass_fields__"):
        return given
    if not isinstance(given, Mapping):
        return dataclasses.replace(given, **own)
    fields = {field.name for field in dataclasses.fields(cls)}
    context_type, state_type = (*get_args(one.annotation), None, None)[:2]
    values = {
        "state": _typed(given.get("state", {}), state_type),
        "context": _typed(given.get("context", host.context), context_type),
        "store": None,
        "tools": [],
        **own,
    }
    return cls(**{name: value for name, value in values.items() if name in fields})


def _typed(value: Any, wanted: Any) -> Any:
    if wanted is None or wanted is Any or isinstance(wanted, TypeVar) or value is None:
        return value
    from pydantic import TypeAdapter

    try:
        return TypeAdapter(wanted).validate_python(value)
    except Exception as error:
        raise RequestError(INVALID_PARAMS, f"injected runtime: {message_of(error)}") from error
