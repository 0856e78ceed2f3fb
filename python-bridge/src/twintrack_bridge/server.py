"""The MCP server: frames in, answers out, everything concurrent.

`receive` is called by the thread that reads. What needs no user code is answered there; a sync
tool runs in a thread of the pool, which also writes the answer; the rest runs on the event loop.
"""

from __future__ import annotations

import sys

from . import errors
from .errors import RequestError, message_of
from .flight import FULL, Flights, is_id
from .outbox import Outbox, encode, encode_within
from .protocol import discovered, initialized, is_modern, meta_of, page, shaped, trace_of
from .wire import Frame, Oversize, TooDeep, decode, id_in
from .work import WORK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Any

    from .engine import Engine
    from .flight import Request, RequestId
    from .offer import Offer
    from .protocol import Shape
    from .value import JsonObject, JsonValue

_TOO_LONG = "the frame is too long; start the bridge with a larger --max-frame-bytes"

#: Frames answered in one write; few, so that large answers do not gather.
_TOGETHER = 64

INJECT_META_KEY = "twintrack/inject"

#: Sent to a client that asked for it, when a cancelled request has nothing running any more.
SETTLED_METHOD = "notifications/twintrack/settled"

_CHAIN_METHODS = ("twintrack/chain/invoke", "twintrack/chain/stream")

#: One chunk of a streamed chain, and the client's word that it has taken one.
_CHUNK_METHOD = "notifications/twintrack/chunk"
_TAKEN_METHOD = "notifications/twintrack/taken"


class Server:
    """Answers frames."""

    def __init__(self, offer: Offer, engine: Engine, outbox: Outbox, max_result_bytes: int) -> None:
        self._offer = offer
        self._engine = engine
        self._outbox = outbox
        self._max_result_bytes = max_result_bytes
        self._flights = Flights(lambda id_: self._notify(SETTLED_METHOD, {"requestId": id_}))
        self._hears_changes = False

    def receive(self, frames: Sequence[Frame | Oversize]) -> None:
        """Take the frames that came together; never raises for what they say."""
        for start in range(0, len(frames), _TOGETHER):
            self._outbox.wait_for_room()
            self._outbox.gather()
            for frame in frames[start : start + _TOGETHER]:
                try:
                    self._take(frame)
                except Exception as error:  # Whatever it is, the next frame has to be read.
                    self._fail(None, _reported(error))
            self._outbox.release()

    def _take(self, frame: Frame | Oversize) -> None:
        if isinstance(frame, Oversize):
            self._fail(frame.request_id, RequestError(errors.INVALID_REQUEST, _TOO_LONG))
            return
        try:
            message = decode(frame)
        except TooDeep as error:
            self._fail(id_in(frame.data), RequestError(errors.INVALID_REQUEST, str(error)))
        except ValueError as error:
            self._fail(None, RequestError(errors.PARSE_ERROR, f"not a JSON-RPC message: {error}"))
        else:
            self._dispatch(message)

    def replace(self, offer: Offer) -> None:
        """Serve something else from now on; running calls end with what they began with."""
        changed = offer.listed != self._offer.listed
        self._offer = offer
        if changed and self._hears_changes:
            self._notify("notifications/tools/list_changed", {})

    def stop(self) -> None:
        """Cancel what is running; threads may go on."""
        self._flights.stop_all()

    def _dispatch(self, message: JsonValue) -> None:
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            batch = "; MCP has no batches" if isinstance(message, list) else ""
            refusal = f"not a JSON-RPC 2.0 message{batch}"
            self._fail(None, RequestError(errors.INVALID_REQUEST, refusal))
            return
        method, params = message.get("method"), message.get("params", {})
        if not isinstance(method, str):
            return  # An answer: this server asks nothing.
        if "id" not in message:
            self._hear(method, params)
            return
        request_id = message["id"]
        if not is_id(request_id):
            refusal = "id is neither a string nor an integer"
            self._fail(None, RequestError(errors.INVALID_REQUEST, refusal))
        elif not isinstance(params, dict):
            self._fail(request_id, RequestError(errors.INVALID_PARAMS, "params is not an object"))
        else:
            self._begin(request_id, method, params)

    def _hear(self, method: str, params: JsonValue) -> None:
        request_id = params.get("requestId") if isinstance(params, dict) else None
        if not isinstance(params, dict) or not is_id(request_id):
            return
        if method == _TAKEN_METHOD:
            self._flights.taken(request_id)
        elif method == "notifications/cancelled":
            confirm = bool(meta_of(params).get("twintrack/confirm"))
            self._flights.cancel(request_id, confirm=confirm)

    def _begin(self, request_id: RequestId, method: str, params: JsonObject) -> None:
        if self._flights.running(request_id):
            taken = f"a request with id {request_id} is running"
            self._fail(request_id, RequestError(errors.INVALID_REQUEST, taken))
        elif method == "tools/call" or method in _CHAIN_METHODS:
            request = self._flights.begin(request_id)
            if request is None:
                self._fail(request_id, RequestError(errors.OVERLOADED, FULL))
            else:
                self._work(request, method, params)
        else:
            self._tell(request_id, method, params)

    def _work(self, request: Request, method: str, params: JsonObject) -> None:
        try:
            shape = shaped(method, is_stateless=is_modern(meta_of(params)))
            if method == "tools/call":
                self._call_tool(request, params, shape)
            else:
                streamed = method.endswith("stream")
                self._invoke_chain(request, params, shape, streamed=streamed)
        except Exception as error:
            self._failed(request, error)
            request.work.end()

    def _tell(self, request_id: RequestId, method: str, params: JsonObject) -> None:
        try:
            is_stateless = is_modern(meta_of(params))
            shape = shaped(method, is_stateless)
            frame = self._frame(request_id, shape(self._told(method, params, is_stateless)))
        except RequestError as error:
            self._fail(request_id, error)
        else:
            self._outbox.send(frame)

    def _told(self, method: str, params: JsonObject, is_stateless: bool) -> JsonObject:
        """The answer to a request that needs none of the user's code."""
        if method == "ping":
            return {}
        if method == "tools/list":
            offer = self._offer
            listed = offer.listed_modern if is_stateless else offer.listed
            return page(listed, offer.unsupported, params.get("cursor"))
        if method == "initialize":
            self._hears_changes = True
            return initialized(params)
        if method == "server/discover":
            return discovered()
        raise RequestError(errors.METHOD_NOT_FOUND, f"no method {method}")

    def _call_tool(self, request: Request, params: JsonObject, shape: Shape) -> None:
        name, args, meta = params.get("name"), params.get("arguments", {}), meta_of(params)
        offer = self._offer
        bridged = offer.by_name.get(name) if isinstance(name, str) else None
        if bridged is None:
            raise RequestError(
                errors.INVALID_PARAMS, f"unknown tool: {name}", {"code": "TOOL_UNKNOWN"}
            )
        inject = meta.get(INJECT_META_KEY, {})
        if not isinstance(args, dict) or not isinstance(inject, dict):
            raise RequestError(errors.INVALID_PARAMS, "arguments is not an object")
        from .call import Call, call_in_thread, call_on_loop, runs_in_thread

        call = Call(args, inject, offer.binding, trace=trace_of(meta))
        if (token := meta.get("progressToken")) is not None:
            call.progress = lambda done, text: self._progress(request, token, done, text)
        if runs_in_thread(bridged.tool):
            loop = self._engine.loop
            self._in_thread(request, lambda: shape(call_in_thread(bridged, call, loop)), call)
        else:
            self._on_loop(request, lambda: call_on_loop(bridged, call), shape)

    def _invoke_chain(
        self, request: Request, params: JsonObject, shape: Shape, *, streamed: bool
    ) -> None:
        legacy_chain = self._offer.chain
        if legacy_chain is None:
            raise RequestError(errors.INVALID_PARAMS, "no chain: start the bridge with --chain")
        from . import chain
        from .window import Window

        hand = None
        if streamed:
            window = Window(self._engine.loop(), lambda chunk: self._chunk(request, chunk))
            request.taken, hand = window.taken, window.hand
        self._on_loop(request, lambda: chain.invoke(legacy_chain, params, hand), shape)

    def _in_thread(self, request: Request, work: Callable[[], JsonObject], call: Any) -> None:
        def run() -> None:
            self._outbox.wait_for_room()
            token = WORK.set(request.work)
            try:
                self._answer(request, work())
            except BaseException as error:
                self._failed(request, error)
            finally:
                WORK.reset(token)
                request.work.end()

        future = self._engine.pool().submit(run)

        def stop() -> None:
            call.cancelled = True
            if future.cancel():
                request.work.end()

        request.stop = stop
        if request.cancelled:
            stop()

    def _on_loop(
        self, request: Request, work: Callable[[], Awaitable[JsonObject]], shape: Shape
    ) -> None:
        import asyncio

        loop = self._engine.loop()

        async def run() -> None:
            try:
                self._answer(request, shape(await work()))
            except asyncio.CancelledError:
                return  # A cancelled request gets no answer.
            except Exception as error:
                self._failed(request, error)

        def start() -> None:
            token = WORK.set(request.work)
            task = loop.create_task(run())
            WORK.reset(token)
            task.add_done_callback(request.work.end)
            request.stop = lambda: loop.call_soon_threadsafe(task.cancel)
            if request.cancelled:
                task.cancel()

        loop.call_soon_threadsafe(start)

    def _frame(self, request_id: RequestId, result: JsonObject) -> bytes:
        message = {"jsonrpc": "2.0", "id": request_id, "result": result}
        return encode_within(self._max_result_bytes, message)

    def _answer(self, request: Request, result: JsonObject) -> None:
        frame = self._frame(request.id, result)
        if self._flights.answer(request):
            self._outbox.send(frame)

    def _failed(self, request: Request, error: BaseException) -> None:
        known = error if isinstance(error, RequestError) else _reported(error)
        if self._flights.answer(request):
            self._fail(request.id, known)

    def _progress(self, request: Request, token: JsonValue, done: int, text: str) -> None:
        # Progress is news: what a client that does not read misses is not kept for it.
        if not request.answered and not request.cancelled and not self._outbox.full:
            update = {"progressToken": token, "progress": done, "message": text}
            self._notify("notifications/progress", update)

    def _chunk(self, request: Request, chunk: JsonValue) -> None:
        params = {"requestId": request.id, "chunk": chunk}
        message = {"jsonrpc": "2.0", "method": _CHUNK_METHOD, "params": params}
        frame = encode_within(self._max_result_bytes, message)
        if not request.answered and not request.cancelled:
            self._outbox.send(frame)

    def _notify(self, method: str, params: JsonObject) -> None:
        self._outbox.send(encode({"jsonrpc": "2.0", "method": method, "params": params}))

    def _fail(self, request_id: JsonValue, error: RequestError) -> None:
        self._outbox.send(encode({"jsonrpc": "2.0", "id": request_id, "error": error.as_json()}))


def _reported(error: BaseException) -> RequestError:
    """Our own mistake: told to the author on stderr, and to the client as an error."""
    import traceback

    traceback.print_exception(error, file=sys.stderr)
    return RequestError(errors.INTERNAL_ERROR, f"bridge: {message_of(error)}")
