"""The MCP server: requests in, answers out, everything concurrent.

Serves revision 2026-07-28 (each request carries its version) and, after `initialize`, the 2024 and
2025 revisions. Source: https://modelcontextprotocol.io/specification/2025-11-25
"""

from __future__ import annotations

import asyncio
import platform
import sys
import traceback
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeGuard

from . import __version__, chain
from .call import call_tool
from .contract import Bridged
from .errors import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    OVERLOADED,
    PARSE_ERROR,
    UNSUPPORTED_PROTOCOL_VERSION,
    RequestError,
    message_of,
)
from .loading import Unsupported
from .pool import WORK, Work
from .value import JsonObject, JsonValue
from .wire import Frame, FrameWriter, Oversize, decode

MODERN_VERSIONS = ("2026-07-28",)
LEGACY_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
UNSUPPORTED_META_KEY = "twintrack/unsupported"
BRIDGE_META_KEY = "twintrack/bridge"
INJECT_META_KEY = "twintrack/inject"

#: Sent to a client that asked for it, when a cancelled request has nothing running any more.
SETTLED_METHOD = "notifications/twintrack/settled"

_VERSION_META_KEY = "io.modelcontextprotocol/protocolVersion"
_SERVER_META_KEY = "io.modelcontextprotocol/serverInfo"
_PAGE_SIZE = 200
_MAX_IN_FLIGHT = 4096
_SERVER_INFO = {"name": "twintrack-bridge", "version": __version__}
_CAPABILITIES: JsonObject = {"tools": {}}

RequestId = int | str


class Server:
    """Answers frames; lives on the event loop."""

    def __init__(
        self,
        tools: list[Bridged],
        unsupported: list[Unsupported],
        legacy_chain: Any,
        writer: FrameWriter,
    ) -> None:
        self._tools = tools
        self._by_name = {t.contract.original_name: t for t in reversed(tools)}
        self._by_name.update({t.contract.name: t for t in tools})
        self._unsupported = unsupported
        self._chain = legacy_chain
        self._writer = writer
        self._tasks: dict[RequestId, asyncio.Task[None]] = {}
        self._confirm: set[RequestId] = set()
        self._methods: dict[str, Callable[[JsonObject, RequestId], Awaitable[JsonObject]]] = {
            "initialize": self._initialize,
            "server/discover": self._discover,
            "ping": self._ping,
            "tools/list": self._list_tools,
            "tools/call": self._call_tool,
            chain.METHOD: self._invoke_chain,
        }

    def receive(self, frame: Frame | Oversize) -> None:
        """Take one frame; never raises for what the frame says."""
        if isinstance(frame, Oversize):
            self._fail(frame.request_id, RequestError(INVALID_REQUEST, "the frame is too long"))
            return
        try:
            message = decode(frame)
        except ValueError as error:
            self._fail(None, RequestError(PARSE_ERROR, f"not a JSON-RPC message: {error}"))
            return
        self._dispatch(message)

    async def cancel_all(self) -> None:
        """Cancel what is running and wait for the tasks; threads may go on."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _dispatch(self, message: JsonValue) -> None:
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            self._fail(None, RequestError(INVALID_REQUEST, "not a JSON-RPC 2.0 message"))
            return
        method, params = message.get("method"), message.get("params", {})
        if not isinstance(method, str):
            return  # An answer: this server asks nothing.
        if "id" not in message:
            if method == "notifications/cancelled" and isinstance(params, dict):
                self._cancel(params)
            return
        request_id = message["id"]
        refusal = self._refusal(request_id, params)
        if refusal is not None:
            self._fail(request_id if _is_id(request_id) else None, refusal)
            return
        self._start(request_id, method, params)

    def _refusal(self, request_id: JsonValue, params: JsonValue) -> RequestError | None:
        if not _is_id(request_id):
            return RequestError(INVALID_REQUEST, "id is neither a string nor an integer")
        if request_id in self._tasks:
            return RequestError(INVALID_REQUEST, f"a request with id {request_id} is running")
        if not isinstance(params, dict):
            return RequestError(INVALID_PARAMS, "params is not an object")
        if len(self._tasks) >= _MAX_IN_FLIGHT:
            return RequestError(OVERLOADED, f"{_MAX_IN_FLIGHT} requests are running already")
        return None

    def _start(self, request_id: RequestId, method: str, params: JsonObject) -> None:
        loop = asyncio.get_running_loop()
        work = Work(partial(_soon, loop, self._settled, request_id))
        token = WORK.set(work)
        task = loop.create_task(self._serve(request_id, method, params))
        WORK.reset(token)
        self._tasks[request_id] = task
        task.add_done_callback(work.end)

    def _cancel(self, params: JsonObject) -> None:
        request_id = params.get("requestId")
        if not _is_id(request_id):
            return
        if _meta(params).get("twintrack/confirm"):
            self._confirm.add(request_id)
        task = self._tasks.get(request_id)
        if task is None:
            self._settled(request_id)
        else:
            task.cancel()

    def _settled(self, request_id: RequestId) -> None:
        self._tasks.pop(request_id, None)
        if request_id in self._confirm:
            self._confirm.discard(request_id)
            self._notify(SETTLED_METHOD, {"requestId": request_id})

    async def _serve(self, request_id: RequestId, method: str, params: JsonObject) -> None:
        try:
            result = await self._answer(method, params, request_id)
        except asyncio.CancelledError:
            return  # A cancelled request gets no answer.
        except RequestError as error:
            self._fail(request_id, error)
        except Exception as error:
            traceback.print_exc()
            self._fail(request_id, RequestError(INTERNAL_ERROR, f"bridge: {message_of(error)}"))
        else:
            self._writer.send({"jsonrpc": "2.0", "id": request_id, "result": result})

    async def _answer(self, method: str, params: JsonObject, request_id: RequestId) -> JsonObject:
        handler = self._methods.get(method)
        if handler is None:
            raise RequestError(METHOD_NOT_FOUND, f"no method {method}")
        version = _meta(params).get(_VERSION_META_KEY)
        if version is not None and version not in MODERN_VERSIONS:
            data = {"supported": list(MODERN_VERSIONS), "requested": version}
            raise RequestError(
                UNSUPPORTED_PROTOCOL_VERSION, f"unsupported protocol version {version}", data
            )
        result = await handler(params, request_id)
        return result if version is None else _modern(method, result)

    async def _initialize(self, params: JsonObject, _: RequestId) -> JsonObject:
        asked = params.get("protocolVersion")
        return {
            "protocolVersion": asked if asked in LEGACY_VERSIONS else LEGACY_VERSIONS[0],
            "capabilities": _CAPABILITIES,
            "serverInfo": _SERVER_INFO,
            "_meta": {BRIDGE_META_KEY: environment()},
        }

    async def _discover(self, params: JsonObject, _: RequestId) -> JsonObject:
        return {
            "supportedVersions": [*MODERN_VERSIONS, *LEGACY_VERSIONS],
            "capabilities": _CAPABILITIES,
            "_meta": {BRIDGE_META_KEY: environment()},
        }

    async def _ping(self, params: JsonObject, _: RequestId) -> JsonObject:
        return {}

    async def _list_tools(self, params: JsonObject, _: RequestId) -> JsonObject:
        start = _offset(params.get("cursor"), len(self._tools))
        end = start + _PAGE_SIZE
        result: JsonObject = {"tools": [t.contract.as_mcp() for t in self._tools[start:end]]}
        if end < len(self._tools):
            result["nextCursor"] = str(end)
        if start == 0:
            listed = [{"name": u.name, "reason": u.reason} for u in self._unsupported]
            result["_meta"] = {UNSUPPORTED_META_KEY: listed}
        return result

    async def _call_tool(self, params: JsonObject, _: RequestId) -> JsonObject:
        name, args = params.get("name"), params.get("arguments", {})
        bridged = self._by_name.get(name) if isinstance(name, str) else None
        if bridged is None:
            raise RequestError(INVALID_PARAMS, f"unknown tool: {name}", {"code": "TOOL_UNKNOWN"})
        inject = _meta(params).get(INJECT_META_KEY, {})
        if not isinstance(args, dict) or not isinstance(inject, dict):
            raise RequestError(INVALID_PARAMS, "arguments is not an object")
        progress_token = _meta(params).get("progressToken")

        def progress(done: int, text: str) -> None:
            if progress_token is not None:
                update = {"progressToken": progress_token, "progress": done, "message": text}
                self._notify("notifications/progress", update)

        return await call_tool(bridged, args, inject, progress)

    async def _invoke_chain(self, params: JsonObject, _: RequestId) -> JsonObject:
        if self._chain is None:
            raise RequestError(INVALID_PARAMS, "no chain: start the bridge with --chain")
        return await chain.invoke(self._chain, params)

    def _notify(self, method: str, params: JsonObject) -> None:
        self._writer.send({"jsonrpc": "2.0", "method": method, "params": params})

    def _fail(self, request_id: JsonValue, error: RequestError) -> None:
        body: JsonObject = {"code": error.rpc_code, "message": message_of(error)}
        if error.data is not None:
            body["data"] = error.data
        self._writer.send({"jsonrpc": "2.0", "id": request_id, "error": body})


def environment() -> JsonObject:
    """Versions that matter when something does not work."""
    from importlib.metadata import PackageNotFoundError, version

    found: JsonObject = {"python": platform.python_version(), "executable": sys.executable}
    for package in ("langchain-core", "pydantic"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _soon(
    loop: asyncio.AbstractEventLoop, settled: Callable[[RequestId], None], request_id: RequestId
) -> None:
    loop.call_soon_threadsafe(settled, request_id)


def _is_id(value: JsonValue) -> TypeGuard[RequestId]:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))


def _meta(params: JsonObject) -> JsonObject:
    meta = params.get("_meta")
    return meta if isinstance(meta, dict) else {}


def _offset(cursor: JsonValue, count: int) -> int:
    if cursor is None:
        return 0
    if not isinstance(cursor, str) or not cursor.isdecimal() or not 0 < int(cursor) < count:
        raise RequestError(INVALID_PARAMS, "unknown cursor")
    return int(cursor)


def _modern(method: str, result: JsonObject) -> JsonObject:
    meta = {_SERVER_META_KEY: _SERVER_INFO, **result.get("_meta", {})}
    cache = {"ttlMs": 0, "cacheScope": "private"}
    cacheable = method in ("tools/list", "server/discover")
    return {**result, "_meta": meta, "resultType": "complete", **(cache if cacheable else {})}
