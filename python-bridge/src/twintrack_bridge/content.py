"""What a tool returned as MCP content.

Tools return content blocks in several dialects: OpenAI's, Anthropic's, LangChain's v0 and v1
standard blocks, and MCP's own. Bytes become image, audio or an embedded resource, addresses become
links, and what has no place in MCP becomes the text of its JSON.
"""

from __future__ import annotations

import base64
import re
from typing import Any, TypeGuard

from .value import JsonObject, to_json, to_text

#: Types under which a dict counts as content rather than as data. Source: LangChain's
#: TOOL_MESSAGE_BLOCK_TYPES, its standard blocks, and MCP.
BLOCK_TYPES = frozenset(
    (
        "text", "image", "image_url", "audio", "input_audio", "video", "file", "document", "json",
        "text-plain", "search_result", "custom_tool_call_output", "non_standard", "resource",
        "resource_link",
    )
)  # fmt: skip

_DATA_URL = re.compile(r"data:([^;,]*)(;base64)?,(.*)", re.DOTALL)
_DEFAULT_TYPES = {"image": "image/png", "audio": "audio/wav", "video": "video/mp4"}


def text_block(text: str) -> JsonObject:
    """One text block."""
    return {"type": "text", "text": text}


def is_content(value: object) -> TypeGuard[list[Any]]:
    """True for a list of content blocks; a list of plain strings is data."""
    return (
        isinstance(value, (list, tuple))
        and any(isinstance(item, dict) for item in value)
        and all(isinstance(item, str) or _is_block(item) for item in value)
    )


def _is_block(item: object) -> bool:
    return isinstance(item, dict) and item.get("type") in BLOCK_TYPES


def to_content(value: object) -> list[JsonObject]:
    """A string unchanged, content blocks mapped, any other value as its JSON text."""
    if isinstance(value, str):
        return [text_block(str(value))]
    if is_content(value):
        return [_block(item) for item in value]
    return [text_block(to_text(to_json(value).value))]


def _block(item: Any) -> JsonObject:
    if isinstance(item, str):
        return text_block(item)
    kind = item.get("type")
    if kind == "text":
        return text_block(str(item.get("text", "")))
    if _is_mcp(kind, item):
        return to_json(item).value
    if kind == "image_url":
        return _image_url(item)
    if kind == "input_audio":
        audio = item.get("input_audio") or {}
        return _bytes("audio", audio.get("data"), f"audio/{audio.get('format', 'wav')}")
    if kind in ("image", "audio", "video", "file", "document", "text-plain"):
        return _standard(str(kind), item)
    return text_block(to_text(to_json(item.get("json", item)).value))


def _is_mcp(kind: Any, item: JsonObject) -> bool:
    """MCP's own block, complete: an incomplete one would break the client."""
    if kind == "resource":
        held = item.get("resource")
        return (
            isinstance(held, dict)
            and isinstance(held.get("uri"), str)
            and (isinstance(held.get("text"), str) or isinstance(held.get("blob"), str))
        )
    if kind == "resource_link":
        return isinstance(item.get("uri"), str) and isinstance(item.get("name"), str)
    strings = (item.get("data"), item.get("mimeType"))
    return kind in ("image", "audio") and all(isinstance(one, str) for one in strings)


def _image_url(item: JsonObject) -> JsonObject:
    given = item.get("image_url")
    url = given.get("url", "") if isinstance(given, dict) else str(given)
    return _address("image", str(url), None)


def _standard(kind: str, item: JsonObject) -> JsonObject:
    """LangChain's v0 and v1 blocks, Anthropic's `source`, OpenAI's `file`."""
    source = item.get("source")
    fields: JsonObject = {**item, **source} if isinstance(source, dict) else item
    if isinstance(item.get("file"), dict):
        fields = {**item, **item["file"]}
    mime = fields.get("mime_type") or fields.get("media_type") or fields.get("mimeType")
    data = fields.get("base64") or fields.get("data") or fields.get("file_data")
    if fields.get("source_type") == "text" or fields.get("type") == "text":
        return _text_resource(fields)
    if data is not None:
        return _data(kind, data, mime)
    if fields.get("url"):
        return _address(kind, str(fields["url"]), mime)
    if isinstance(fields.get("text"), str):
        return _text_resource(fields)
    return text_block(
        to_text(to_json(item).value)
    )  # A file id means something only to its provider.


def _data(kind: str, data: Any, mime: Any) -> JsonObject:
    if isinstance(data, str) and data.startswith("data:"):
        return _address(kind, data, mime)
    return _bytes(kind, data, mime)


def _text_resource(fields: JsonObject) -> JsonObject:
    text = fields.get("text") if isinstance(fields.get("text"), str) else fields.get("data")
    return text_block(str(text or ""))


def _address(kind: str, url: str, mime: Any) -> JsonObject:
    data = _DATA_URL.match(url)
    if data is None:
        link: JsonObject = {
            "type": "resource_link",
            "uri": url,
            "name": url.rpartition("/")[2] or url,
        }
        return {**link, "mimeType": str(mime)} if mime else link
    found_mime, is_base64, body = data.groups()
    if not is_base64:
        from urllib.parse import unquote_to_bytes

        body = base64.b64encode(unquote_to_bytes(body)).decode("ascii")
    return _bytes(kind, body, found_mime or mime)


def _bytes(kind: str, data: Any, mime: Any) -> JsonObject:
    text = data if isinstance(data, str) else base64.b64encode(bytes(data or b"")).decode("ascii")
    mime_type = str(mime or _DEFAULT_TYPES.get(kind, "application/octet-stream"))
    if kind in ("image", "audio"):
        return {"type": kind, "data": text, "mimeType": mime_type}
    resource = {"uri": f"twintrack:bytes/{kind}", "mimeType": mime_type, "blob": text}
    return {"type": "resource", "resource": resource}
