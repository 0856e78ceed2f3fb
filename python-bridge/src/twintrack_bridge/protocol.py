"""What the server says of itself and of its tools, in each revision's form. Data in, data out.

Revision 2026-07-28 is stateless: each request carries its version. The 2024 and 2025 revisions
begin with `initialize`. Source: https://modelcontextprotocol.io/specification/2025-11-25
"""

from __future__ import annotations

import sys

from . import __version__
from .errors import INVALID_PARAMS, UNSUPPORTED_PROTOCOL_VERSION, RequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .value import JsonObject, JsonValue

    Shape = Callable[[JsonObject], JsonObject]

MODERN_VERSIONS = ("2026-07-28",)
LEGACY_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
UNSUPPORTED_META_KEY = "twintrack/unsupported"
BRIDGE_META_KEY = "twintrack/bridge"

_VERSION_META_KEY = "io.modelcontextprotocol/protocolVersion"
_SERVER_META_KEY = "io.modelcontextprotocol/serverInfo"
_PAGE_SIZE = 200
_SERVER_INFO = {"name": "twintrack-bridge", "version": __version__}
_CAPABILITIES: JsonObject = {"tools": {"listChanged": True}}
_CACHEABLE = ("tools/list", "server/discover")
_TRACE_KEYS = ("traceparent", "tracestate", "baggage")


def meta_of(params: JsonObject) -> JsonObject:
    """The request's `_meta`, empty when there is none."""
    meta = params.get("_meta")
    return meta if isinstance(meta, dict) else {}


def trace_of(meta: JsonObject) -> JsonObject:
    """W3C trace context of a request."""
    return {key: meta[key] for key in _TRACE_KEYS if isinstance(meta.get(key), str)}


def is_modern(meta: JsonObject) -> bool:
    """Whether the request speaks the stateless revision.

    Raises:
        RequestError: it speaks a revision that has no stateless requests.
    """
    version = meta.get(_VERSION_META_KEY)
    if version is None:
        return False
    if version not in MODERN_VERSIONS:
        raise RequestError(
            UNSUPPORTED_PROTOCOL_VERSION,
            f"unsupported protocol version {version}; without initialize it is one of "
            + ", ".join(MODERN_VERSIONS),
            {"supported": list(MODERN_VERSIONS), "requested": version},
        )
    return True


def initialized(params: JsonObject) -> JsonObject:
    """The answer to `initialize`: the version asked for, or our newest of that kind."""
    asked = params.get("protocolVersion")
    return {
        "protocolVersion": asked if asked in LEGACY_VERSIONS else LEGACY_VERSIONS[0],
        "capabilities": _CAPABILITIES,
        "serverInfo": _SERVER_INFO,
        "_meta": {BRIDGE_META_KEY: environment()},
    }


def discovered() -> JsonObject:
    """The answer to `server/discover`."""
    return {
        "supportedVersions": [*MODERN_VERSIONS, *LEGACY_VERSIONS],
        "capabilities": _CAPABILITIES,
        "_meta": {BRIDGE_META_KEY: environment()},
    }


def page(tools: list[JsonObject], unsupported: list[JsonObject], cursor: JsonValue) -> JsonObject:
    """One page of `tools/list`; what cannot be called is told with the first.

    Raises:
        RequestError: the cursor is none of ours.
    """
    start = _offset(cursor, len(tools))
    end = start + _PAGE_SIZE
    result: JsonObject = {"tools": tools[start:end]}
    if end < len(tools):
        result["nextCursor"] = str(end)
    if start == 0:
        result["_meta"] = {UNSUPPORTED_META_KEY: unsupported}
    return result


def _offset(cursor: JsonValue, count: int) -> int:
    if cursor is None:
        return 0
    is_ours = isinstance(cursor, str) and len(cursor) < 10 and cursor.isascii() and cursor.isdigit()
    if not is_ours or not 0 < int(cursor) < count or int(cursor) % _PAGE_SIZE:
        raise RequestError(INVALID_PARAMS, f"unknown cursor {cursor}")
    return int(cursor)


def _modern(method: str, result: JsonObject) -> JsonObject:
    """The result as the stateless revision wants it."""
    meta = {_SERVER_META_KEY: _SERVER_INFO, **result.get("_meta", {})}
    cache = {"ttlMs": 0, "cacheScope": "private"} if method in _CACHEABLE else {}
    return {**result, "_meta": meta, "resultType": "complete", **cache}


def _legacy(result: JsonObject) -> JsonObject:
    """The result as the earlier revisions want it: structured content only as an object."""
    if isinstance(result.get("structuredContent", {}), dict):
        return result
    return {key: value for key, value in result.items() if key != "structuredContent"}


def shaped(method: str, is_stateless: bool) -> Shape:
    """Brings a result into the form of the caller's revision."""
    return (lambda result: _modern(method, result)) if is_stateless else _legacy


def environment() -> JsonObject:
    """Versions that matter when something does not work."""
    found: JsonObject = {
        "python": sys.version.partition(" ")[0],
        "executable": sys.executable,
        "langchain-core": None,
        "pydantic": None,
    }
    if "langchain_core" in sys.modules:
        from importlib.metadata import PackageNotFoundError, version

        for package in ("langchain-core", "pydantic"):
            try:
                found[package] = version(package)
            except PackageNotFoundError:
                continue
    return found
