"""One `tools/call`: LangChain's own way into the tool, and MCP's `CallToolResult` out of it.

Always `ainvoke` with a ToolCall envelope: only then do artifact, status and content blocks
survive, and arguments that look like an envelope cannot be mistaken for one. The raw return value
is kept aside, because LangChain turns everything but strings and content blocks into text.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from inspect import isasyncgen, isgenerator
from typing import Any

from .capture import CURRENT, Unobserved, observed
from .content import text_block, to_content
from .contract import Bridged
from .errors import INVALID_PARAMS, RequestError, message_of, serialize_error
from .injection import reserved_names
from .loading import Tool
from .value import Converted, JsonObject, to_json, to_text

META_KEY = "twintrack/result"

#: Called with the number of items so far and the item's text.
Progress = Callable[[int, str], None]

_MISSING: Any = object()


async def call_tool(
    bridged: Bridged, args: JsonObject, inject: JsonObject, progress: Progress
) -> JsonObject:
    """Call a tool; whatever the tool does becomes a result.

    Raises:
        RequestError: an argument that the host has to inject is not there, or is not injectable.
    """
    _check_injection(bridged, inject)
    started = time.perf_counter()
    sent = sorted(args.keys() & reserved_names(bridged.tool))
    if sent:
        refusal = f"Argument {', '.join(sent)} is filled by the host and may not be sent"
        return _failure(ValueError(refusal), started)
    capture = _Capture(progress)
    token = CURRENT.set(Unobserved())
    try:
        envelope = {
            "type": "tool_call",
            "id": f"call_{uuid.uuid4().hex}",
            "name": bridged.tool.name,
            "args": {**args, **inject},
        }
        message = await observed(bridged.tool, capture).ainvoke(envelope)
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # SystemExit in a tool is the tool's failure, not our end.
        return _failure(error, started)
    finally:
        CURRENT.reset(token)
    return _result(bridged.tool, message, capture.raw, started)


def _check_injection(bridged: Bridged, inject: JsonObject) -> None:
    known = {injected.name for injected in bridged.contract.injected}
    missing = [i.name for i in bridged.contract.injected if i.required and i.name not in inject]
    unknown = sorted(inject.keys() - known)
    if missing:
        raise RequestError(
            INVALID_PARAMS,
            f"{bridged.tool.name} needs the host to inject {', '.join(missing)}",
            {"code": "TOOL_UNSUPPORTED"},
        )
    if unknown:
        raise RequestError(
            INVALID_PARAMS, f"{bridged.tool.name} has no injected argument {', '.join(unknown)}"
        )


class _Capture:
    """Keeps the raw return value; generators are read to their end, one progress per item."""

    def __init__(self, progress: Progress) -> None:
        self.raw: Any = _MISSING
        self._progress = progress
        self._loop = asyncio.get_running_loop()

    def call(self, tool: Tool, body: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        value = body(*args, **kwargs)
        if isgenerator(value):
            value = [self._item(index, item) for index, item in enumerate(value)]
        elif isasyncgen(value):
            # `_run` is in a thread of the pool here, so waiting for the loop is safe.
            value = asyncio.run_coroutine_threadsafe(self._drain(value), self._loop).result()
        self.raw = value
        return value

    async def acall(
        self, tool: Tool, body: Callable[..., Awaitable[Any]], args: Any, kwargs: Any
    ) -> Any:
        value = await body(*args, **kwargs)
        if isasyncgen(value):
            value = await self._drain(value)
        elif isgenerator(value):
            value = await asyncio.to_thread(list, value)
        self.raw = value
        return value

    async def _drain(self, items: Any) -> list[Any]:
        drained: list[Any] = []
        async for item in items:
            drained.append(self._item(len(drained), item))
        return drained

    def _item(self, index: int, item: Any) -> Any:
        text = item if isinstance(item, str) else to_text(to_json(item).value)
        self._loop.call_soon_threadsafe(self._progress, index + 1, text)
        return item


def _result(tool: Tool, message: Any, raw: Any, started: float) -> JsonObject:
    if _is_command(message) or (
        isinstance(message, list) and any(_is_command(item) for item in message)
    ):
        return _failure(
            TypeError(f"{tool.name} returned a Command, which only a graph applies"), started
        )
    if raw is _MISSING:
        raw = getattr(message, "content", message)  # The parser or a handler answered.
    failed = getattr(message, "status", None) == "error"
    converted = _raw_value(tool, raw)
    meta = _meta(converted, started)
    artifact = to_json(getattr(message, "artifact", None)).value
    if artifact is not None:
        meta["artifact"] = artifact
    if failed:
        content = to_content(getattr(message, "content", ""))
        meta["error"] = {"name": "ToolException", "message": _text_of(content)}
        return {"content": content, "isError": True, "_meta": {META_KEY: meta}}
    body = _content_source(tool, raw)
    result: JsonObject = {"content": to_content(body), "isError": False, "_meta": {META_KEY: meta}}
    structured = artifact if _has_artifact(tool) else converted.value
    if isinstance(structured, dict):
        result["structuredContent"] = structured
    return result


def _content_source(tool: Tool, raw: Any) -> Any:
    if hasattr(raw, "tool_call_id") and hasattr(raw, "content"):
        return raw.content  # The tool built its own ToolMessage.
    if _has_artifact(tool) and isinstance(raw, tuple) and len(raw) == 2:
        return raw[0]
    return raw


def _raw_value(tool: Tool, raw: Any) -> Converted:
    return raw_to_json(raw, has_artifact=_has_artifact(tool))


def raw_to_json(raw: Any, *, has_artifact: bool) -> Converted:
    """A tool's raw return value; the pair of content and artifact can be rebuilt from a list."""
    if has_artifact and type(raw) is tuple and len(raw) == 2:
        return to_json(list(raw))
    return to_json(raw)


def _has_artifact(tool: Tool) -> bool:
    return getattr(tool, "response_format", "content") == "content_and_artifact"


def _is_command(value: Any) -> bool:
    return type(value).__name__ == "Command" and hasattr(value, "goto")


def _failure(error: BaseException, started: float) -> JsonObject:
    serialized = serialize_error(error)
    text = message_of(error) or serialized["name"]
    meta = {**_meta(Converted(None, lossy=False, floats=()), started), "error": serialized}
    return {"content": [text_block(text)], "isError": True, "_meta": {META_KEY: meta}}


def _meta(converted: Converted, started: float) -> JsonObject:
    meta: JsonObject = {
        "raw": converted.value,
        "lossy": converted.lossy,
        "durationMs": round((time.perf_counter() - started) * 1000, 3),
    }
    return meta


def _text_of(content: list[JsonObject]) -> str:
    return "\n".join(str(block["text"]) for block in content if block.get("type") == "text")
