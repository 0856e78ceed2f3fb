"""What a tool did as MCP's `CallToolResult`.

The content is what the model would have seen; structured content is data; the raw return value,
the artifact and what was lost on the way are under one `_meta` key. Content and structure have an
integer beyond 2^53 in its digits; under the key it has the form that nobody rounds.
"""

from __future__ import annotations

import time
from typing import Any

from .content import is_content, text_block, to_content
from .contract import Bridged
from .errors import message_of, serialize_error
from .loading import Tool
from .message_record import all_in, messages_in, order_in, told
from .value import Converted, JsonObject, in_digits, to_json, to_text

META_KEY = "twintrack/result"

#: Stands for a body that was never reached: the parser or a handler answered.
MISSING: Any = object()

_ONLY_A_GRAPH = (
    "only a running graph can do that, and a call from outside has none. Take what is asked for as "
    "an argument, or keep this tool in the graph"
)


def result_of(bridged: Bridged, message: Any, raw: Any, started: float) -> JsonObject:
    """The result of a call that came back."""
    tool = bridged.tool
    messages: list[Any] = message if isinstance(message, list) else [message]
    if order := order_in(messages) or order_in(raw):
        refused = TypeError(f"{tool.name} returned a {order}: {_ONLY_A_GRAPH}")
        result = failure(tool, refused, started)
        result["_meta"][META_KEY].update(raw=to_json(raw).value, lossy=True)
        return result
    if raw is MISSING:
        raw = getattr(message, "content", message)
    return _returned(bridged, messages_in(messages), raw, started)


def _returned(bridged: Bridged, messages: list[Any], raw: Any, started: float) -> JsonObject:
    tool = bridged.tool
    converted = raw_to_json(told(raw), has_artifact=_has_artifact(tool))
    meta = _meta(converted, started)
    artifacts = [to_json(getattr(message, "artifact", None)).value for message in messages]
    artifact = artifacts[0] if len(artifacts) == 1 else [a for a in artifacts if a is not None]
    if artifact:
        meta["artifact"] = artifact
    failed = any(getattr(message, "status", None) == "error" for message in messages)
    if failed or (all_in(raw) and messages):
        content = [block for message in messages for block in to_content(message.content)]
    else:
        content = _content(tool, raw, converted)
    result: JsonObject = {"content": content, "isError": failed, "_meta": {META_KEY: meta}}
    if failed:
        meta["error"] = {"name": "ToolException", "message": _text_of(content)}
        return result
    structured = artifact if _has_artifact(tool) or all_in(raw) else converted.value
    if bridged.contract.output_schema is not None or _is_data(raw, structured):
        result["structuredContent"] = in_digits(structured) if converted.long else structured
    return result


def _is_data(raw: Any, structured: Any) -> bool:
    return isinstance(structured, dict) or (isinstance(structured, list) and not is_content(raw))


def _content(tool: Tool, raw: Any, converted: Converted) -> list[JsonObject]:
    body = raw
    if _has_artifact(tool) and isinstance(raw, tuple) and len(raw) == 2:
        body = raw[0]
    elif not isinstance(raw, str) and not is_content(raw):
        return [
            text_block(to_text(in_digits(converted.value) if converted.long else converted.value))
        ]
    return to_content(body)


def failure(tool: Tool, error: BaseException, started: float) -> JsonObject:
    """The result of a call that raised."""
    serialized = serialize_error(error)
    text = message_of(error) or serialized["name"]
    if _wanted_a_graph(error):
        text = f"{tool.name} paused or asked for its graph: {_ONLY_A_GRAPH}"
        serialized["message"] = text
    meta = {**_meta(Converted(None, lossy=False, floats=()), started), "error": serialized}
    return {"content": [text_block(text)], "isError": True, "_meta": {META_KEY: meta}}


def broke_in_print(error: BaseException) -> bool:
    """The tool came back, but LangChain could not make a text of its value."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_name == "_format_output":
            return True
        trace = trace.tb_next
    return False


def raw_to_json(raw: Any, *, has_artifact: bool) -> Converted:
    """A tool's raw return value; the pair of content and artifact can be rebuilt from a list."""
    if has_artifact and type(raw) is tuple and len(raw) == 2:
        return to_json(list(raw))
    return to_json(raw)


def _has_artifact(tool: Tool) -> bool:
    return getattr(tool, "response_format", "content") == "content_and_artifact"


def _wanted_a_graph(error: BaseException) -> bool:
    if isinstance(error, KeyError) and error.args:
        return str(error.args[0]).startswith("__pregel_")
    return type(error).__name__ in ("GraphInterrupt", "NodeInterrupt") or (
        isinstance(error, RuntimeError) and "outside of a runnable context" in str(error)
    )


def _meta(converted: Converted, started: float) -> JsonObject:
    return {
        "raw": converted.value,
        "lossy": converted.lossy,
        "durationMs": round((time.perf_counter() - started) * 1000, 3),
    }


def _text_of(content: list[JsonObject]) -> str:
    return "\n".join(str(block["text"]) for block in content if block.get("type") == "text")
