"""Errors the bridge raises on purpose, and how any error travels as data.

Two planes stay apart: a tool that failed is a *result* (`isError`); a call that could not be made
is a JSON-RPC error. The codes are those of `core/error.ts`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # Not from typing: its import is a quarter of a bare start.
if TYPE_CHECKING:
    from typing import Any

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
OVERLOADED = -32000
UNSUPPORTED_PROTOCOL_VERSION = -32022


class RequestError(Exception):
    """A request that cannot be served; becomes a JSON-RPC error."""

    def __init__(self, rpc_code: int, message: str, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.rpc_code = rpc_code
        self.data = data

    def as_json(self) -> dict[str, Any]:
        """The error as JSON-RPC has it."""
        body: dict[str, Any] = {"code": self.rpc_code, "message": message_of(self)}
        return body if self.data is None else {**body, "data": self.data}


def reported(error: BaseException) -> RequestError:
    """Our own mistake: told to the author on stderr, and to the client as an error."""
    import sys
    import traceback

    traceback.print_exception(error, file=sys.stderr)
    return RequestError(INTERNAL_ERROR, f"bridge: {message_of(error)}")


class TargetInvalid(Exception):
    """A `package.module:attribute` that cannot be imported or found."""


class ToolRefused(Exception):
    """A call of a chain that was not executed. A chain may catch it; the record stays."""

    code = "EFFECT_REFUSED"


class EffectRefused(ToolRefused):
    """A write in a recorded run without a record."""

    code = "EFFECT_REFUSED"


class ReadUnrecorded(ToolRefused):
    """A read in a recorded run without a record, where live reads are not allowed."""

    code = "READ_UNRECORDED"


class ModelUnrecorded(ToolRefused):
    """A model call in a recorded run without a record, where live models are not allowed."""

    code = "MODEL_UNRECORDED"


class EgressRefused(ToolRefused):
    """Code of a shadow run tried to reach the world past the tools."""

    code = "EGRESS_REFUSED"


class RecordingLossy(ToolRefused):
    """A record whose Python object cannot be rebuilt from its JSON form."""

    code = "RECORDING_LOSSY"


def serialize_error(error: BaseException) -> dict[str, Any]:
    """An exception as `SerializedError` of `core/outcome.ts`."""
    serialized: dict[str, Any] = {"name": type(error).__name__, "message": message_of(error)}
    if isinstance(error, ToolRefused):
        serialized["code"] = error.code
    return serialized


def message_of(error: BaseException) -> str:
    """The exception's text, also when its own `__str__` raises."""
    try:
        return str(error)
    except Exception:
        return object.__repr__(error)


def rebuild_error(serialized: dict[str, Any]) -> BaseException:
    """An exception that the chain cannot tell from the recorded one by class name or message.

    It derives from the class of that name when this process knows one, so that `except` clauses
    and LangChain's `handle_tool_error` take the same way as in the recorded run.
    """
    name, message = str(serialized.get("name")), str(serialized.get("message"))
    for base in _error_class(name).__mro__:
        try:
            twin: Any = type(
                name,
                (base,),
                # Not `__init__`: error classes may take any number of arguments, and KeyError
                # quotes its argument in `__str__`.
                {"__init__": _no_init, "__str__": lambda _self: message},
            )
            twin.__module__ = base.__module__
            error: BaseException = twin()
        except TypeError:
            continue  # Some classes are final, for example pydantic's ValidationError.
        error.args = (message,)
        return error
    return RuntimeError(message)


def _no_init(_self: BaseException) -> None:
    pass


def _error_class(name: str) -> type[BaseException]:
    from langchain_core.tools import ToolException

    waiting: list[type[BaseException]] = [Exception]
    while waiting:
        candidate = waiting.pop(0)
        if candidate.__name__ == name:
            return candidate
        waiting.extend(candidate.__subclasses__())
    return ToolException
