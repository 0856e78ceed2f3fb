"""Content blocks of every dialect, as MCP's own."""

from typing import Any

import pytest
from mcp_types import CallToolResult

from twintrack_bridge.content import is_content, to_content

PNG = {"type": "image", "data": "AAAA", "mimeType": "image/png"}
WAV = {"type": "audio", "data": "AAAA", "mimeType": "audio/wav"}


def blob(kind: str, mime: str) -> dict[str, Any]:
    resource = {"uri": f"twintrack:bytes/{kind}", "mimeType": mime, "blob": "AAAA"}
    return {"type": "resource", "resource": resource}


def link(name: str = "a.png", mime: str | None = None) -> dict[str, Any]:
    found = {"type": "resource_link", "uri": f"https://x.y/{name}", "name": name}
    return {**found, "mimeType": mime} if mime else found


def said(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


BLOCKS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("text", {"type": "text", "text": "a"}, said("a")),
    (
        "OpenAI image by address",
        {"type": "image_url", "image_url": {"url": "https://x.y/a.png"}},
        link(),
    ),
    (
        "OpenAI image in the address",
        {"type": "image_url", "image_url": "data:image/png;base64,AAAA"},
        PNG,
    ),
    (
        "OpenAI image, percent-encoded",
        {"type": "image_url", "image_url": {"url": "data:image/png,%00%00%00"}},
        PNG,
    ),
    (
        "OpenAI audio",
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        WAV,
    ),
    (
        "OpenAI file",
        {"type": "file", "file": {"filename": "f", "file_data": "data:text/csv;base64,AAAA"}},
        blob("file", "text/csv"),
    ),
    (
        "OpenAI file id",
        {"type": "file", "file": {"file_id": "f1"}},
        said('{"type":"file","file":{"file_id":"f1"}}'),
    ),
    (
        "Anthropic image",
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        PNG,
    ),
    (
        "Anthropic image by address",
        {"type": "image", "source": {"type": "url", "url": "https://x.y/a.png"}},
        link(),
    ),
    (
        "Anthropic document",
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
        },
        blob("document", "application/pdf"),
    ),
    (
        "Anthropic text document",
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}},
        said("hi"),
    ),
    (
        "Anthropic search result",
        {"type": "search_result", "title": "t"},
        said('{"type":"search_result","title":"t"}'),
    ),
    (
        "v0 base64",
        {"type": "image", "source_type": "base64", "mime_type": "image/png", "data": "AAAA"},
        PNG,
    ),
    ("v0 address", {"type": "image", "source_type": "url", "url": "https://x.y/a.png"}, link()),
    ("v0 text", {"type": "file", "source_type": "text", "text": "hi"}, said("hi")),
    (
        "v0 id",
        {"type": "file", "source_type": "id", "id": "f"},
        said('{"type":"file","source_type":"id","id":"f"}'),
    ),
    ("v1 base64", {"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"}, WAV),
    ("v1 bytes", {"type": "image", "base64": b"\0\0\0", "mime_type": "image/png"}, PNG),
    (
        "v1 video",
        {"type": "video", "base64": "AAAA", "mime_type": "video/mp4"},
        blob("video", "video/mp4"),
    ),
    (
        "v1 address",
        {"type": "video", "url": "https://x.y/a.mp4", "mime_type": "video/mp4"},
        link("a.mp4", "video/mp4"),
    ),
    ("v1 plain text", {"type": "text-plain", "text": "hi", "mime_type": "text/plain"}, said("hi")),
    (
        "v1 JavaScript address",
        {"type": "image", "url": "https://x.y/a.png", "mimeType": "image/png"},
        link(mime="image/png"),
    ),
    (
        "v1 file id",
        {"type": "file", "file_id": "f"},
        said('{"type":"file","file_id":"f"}'),
    ),
    (
        "non-standard",
        {"type": "non_standard", "value": {"a": 1}},
        said('{"type":"non_standard","value":{"a":1}}'),
    ),
    ("Bedrock json", {"type": "json", "json": {"a": 1}}, said('{"a":1}')),
    (
        "custom tool output",
        {"type": "custom_tool_call_output", "output": "o"},
        said('{"type":"custom_tool_call_output","output":"o"}'),
    ),
    ("MCP image", PNG, PNG),
    ("MCP link", link(), link()),
    ("MCP resource", blob("a", "b/c"), blob("a", "b/c")),
    ("MCP resource without its body", {"type": "resource"}, said('{"type":"resource"}')),
    ("MCP link without a name", {"type": "resource_link"}, said('{"type":"resource_link"}')),
]


@pytest.mark.parametrize(("block", "expected"), [b[1:] for b in BLOCKS], ids=[b[0] for b in BLOCKS])
def test_a_block_of_any_dialect_becomes_mcp_content(
    block: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert is_content([block])
    assert to_content([block, "and"]) == [expected, said("and")]
    CallToolResult.model_validate({"content": to_content([block])})


@pytest.mark.parametrize(
    "value", [["a", "b"], [], [{"a": 1}], [{"type": "unheard of"}], {"type": "text"}]
)
def test_what_is_no_content_is_the_text_of_its_json(value: Any) -> None:
    assert not is_content(value)
    assert to_content(value)[0]["type"] == "text"
    assert len(to_content(value)) == 1
