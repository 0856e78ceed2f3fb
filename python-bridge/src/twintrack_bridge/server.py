"""The MCP server: frames in, answers out, everything concurrent.

`receive` is called by the thread that reads. What needs no user code is answered there; a sync
tool runs in a thread of the pool, which also writes the answer; the rest runs on the event loop.
"""

from __future__ import annotations

from . import errors
from .client import Client
from .errors import RequestError, reported
from .flight import FULL, Flights, is_id
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
    from .outbox import Outbox
    from .protocol import Shape
    from .questions import Questions
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
        self._client = Client(outbox, max_result_bytes)
        self._questions: Questions | None = None
        self._flights = Flights(lambda id_: self._client.notify(SETTLED_METHOD, {"requestId": id_}))
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
                    self._client.fail(None, reported(error))
            self._outbox.release()

    def _take(self, frame: Frame | Oversize) -> None:
        if isinstance(frame, Oversize):
            self._refuse(frame.request_id, _TOO_LONG)
            return
        try:
            message = decode(frame)
        except TooDeep as error:
            self._refuse(id_in(frame.data), str(error))
        except ValueError as error:
            self._client.refuse(None, f"not a JSON-RPC message: {error}", errors.PARSE_ERROR)
        else:
            self._dispatch(message)

    def replace(self, offer: Offer) -> None:
        """Serve something else from now on; running calls end with what they began with."""
        changed = offer.listed != self._offer.listed
        self._offer = offer
        if changed and self._hears_changes:
            self._client.notify("notifications/tools/list_changed", {})

    def stop(self) -> None:
        """Cancel what is running; threads may go on."""
        self._flights.stop_all()

    def _dispatch(self, message: JsonValue) -> None:
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            batch = "; MCP has no batches" if isinstance(message, list) else ""
            self._client.refuse(None, f"not a JSON-RPC 2.0 message{batch}")
            return
        method, params = message.get("method"), message.get("params", {})
        if not isinstance(method, str):
            if self._questions is not None:
                self._questions.answer(message)
            return
        if "id" not in message:
            self._hear(method, params)
            return
        request_id = message["id"]
        if not is_id(request_id):
            self._client.refuse(None, "id is neither a string nor an integer")
        elif not isinstance(params, dict):
            self._client.refuse(request_id, "params is not an object", errors.INVALID_PARAMS)
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
            self._client.refuse(request_id, f"a request with id {request_id} is running")
        elif method == "tools/call" or method in _CHAIN_METHODS:
            request = self._flights.begin(request_id)
            if request is None:
                self._client.refuse(request_id, FULL, errors.OVERLOADED)
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
            result = shape(self._told(method, params, is_stateless))
            frame = self._client.encode({"id": request_id, "result": result})
        except RequestError as error:
            self._client.fail(request_id, error)
        else:
            self._client.send(frame)

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
        from .run_config import META_KEY, run_config_of

        run_config = run_config_of(meta.get(META_KEY))
        call = Call(args, inject, offer.binding, trace=trace_of(meta), run_config=run_config)
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
        from .questions import AskedReads, Questions
        from .window import Window

        self._questions = self._questions or Questions(self._client)
        asked = AskedReads(self._questions, request.id)
        hand = None
        if streamed:
            window = Window(self._engine.loop(), lambda chunk: self._chunk(request, chunk))
            request.taken, hand = window.taken, window.hand
        self._on_loop(
            request, lambda: chain.invoke(legacy_chain, params, hand, asked), shape, asked.close
        )

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
        self,
        request: Request,
        work: Callable[[], Awaitable[JsonObject]],
        shape: Shape,
        on_stop: Callable[[], None] = lambda: None,
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
            request.stop = lambda: (on_stop(), loop.call_soon_threadsafe(task.cancel))
            if request.cancelled:
                task.cancel()

        loop.call_soon_threadsafe(start)

    def _answer(self, request: Request, result: JsonObject) -> None:
        frame = self._client.encode({"id": request.id, "result": result})
        if self._flights.answer(request):
            self._client.send(frame)

    def _failed(self, request: Request, error: BaseException) -> None:
        known = error if isinstance(error, RequestError) else reported(error)
        if self._flights.answer(request):
            self._client.fail(request.id, known)

    def _progress(self, request: Request, token: JsonValue, done: int, text: str) -> None:
        # Progress is news: what a client that does not read misses is not kept for it.
        if not request.answered and not request.cancelled and not self._outbox.full:
            update = {"progressToken": token, "progress": done, "message": text}
            self._client.notify("notifications/progress", update)

    def _chunk(self, request: Request, chunk: JsonValue) -> None:
        params = {"requestId": request.id, "chunk": chunk}
        frame = self._client.encode({"method": _CHUNK_METHOD, "params": params})
        if not request.answered and not request.cancelled:
            self._client.send(frame)

    def _refuse(self, message_id: JsonValue, why: str) -> None:
        """Refuse a message that cannot be read: it may be an answer."""
        if self._questions is None or not self._questions.give_up(message_id, why):
            self._client.refuse(message_id, why)
