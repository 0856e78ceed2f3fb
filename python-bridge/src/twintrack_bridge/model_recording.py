"""The model calls of one chain run: recorded, and answered where the other side asked the same."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from .errors import ModelUnrecorded, rebuild_error, serialize_error
from .ledger import canonical_text
from .model_capture import Seen
from .model_request import model_request, model_response
from .value import JsonObject


class ModelBook:
    """Recorded model calls; each is given out once, in order."""

    def __init__(self, recording: list[JsonObject]) -> None:
        self._waiting: dict[str, list[JsonObject]] = {}
        for call in recording:
            self._waiting.setdefault(canonical_text(call["request"]), []).append(call)

    def answer(self, request: JsonObject) -> JsonObject | None:
        """The next recorded call with an equal request."""
        waiting = self._waiting.get(canonical_text(request))
        return waiting.pop(0) if waiting else None


class ModelRecording:
    """Observes the models of one chain run."""

    def __init__(
        self,
        book: ModelBook | None,
        *,
        may_run: bool,
        elapsed_ms: Callable[[], float],
        inside_tool: Callable[[], str | None],
    ) -> None:
        self.calls: list[JsonObject] = []
        self._book = book
        self._may_run = may_run
        self._elapsed_ms = elapsed_ms
        self._inside_tool = inside_tool
        self._lock = threading.RLock()  # The egress guard may ask in the midst of a call.

    def snapshot(self) -> list[JsonObject]:
        """The calls so far, as a copy; one that has not ended is `timed_out`."""
        calls = [dict(call) for call in self.calls]
        for call in calls:
            if call["outcome"]["status"] == "timed_out":
                waited = round(self._elapsed_ms() - call["startedAtMs"], 3)
                call.update(outcome={"status": "timed_out", "afterMs": waited}, durationMs=waited)
        return calls

    def generate(self, seen: Seen, body: Callable[[], Any]) -> Any:
        """Observe `_generate`."""
        record = self._begin(seen, streamed=False)
        recorded = self._recorded(record)
        if recorded is not None:
            return _result(seen, recorded)
        try:
            return self._returned(record, seen, body())
        except BaseException as error:
            self._threw(record, error)
            raise

    async def agenerate(self, seen: Seen, body: Callable[[], Awaitable[Any]]) -> Any:
        """Observe `_agenerate`."""
        record = self._begin(seen, streamed=False)
        recorded = self._recorded(record)
        if recorded is not None:
            return _result(seen, recorded)
        try:
            return self._returned(record, seen, await body())
        except BaseException as error:
            self._threw(record, error)
            raise

    def stream(self, seen: Seen, body: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        """Observe `_stream`."""
        record = self._begin(seen, streamed=True)
        recorded = self._recorded(record)
        if recorded is not None:
            yield _chunk(seen, recorded)
            return
        total = _Total()
        try:
            for chunk in body():
                total.add(chunk)
                yield chunk
            total.whole = True
        except GeneratorExit:
            raise
        except BaseException as error:
            self._threw(record, error)
            raise
        finally:
            self._streamed(record, total)

    async def astream(
        self, seen: Seen, body: Callable[[], AsyncIterator[Any]]
    ) -> AsyncIterator[Any]:
        """Observe `_astream`."""
        record = self._begin(seen, streamed=True)
        recorded = self._recorded(record)
        if recorded is not None:
            yield _chunk(seen, recorded)
            return
        total = _Total()
        try:
            async for chunk in body():
                total.add(chunk)
                yield chunk
            total.whole = True
        except GeneratorExit:
            raise
        except BaseException as error:
            self._threw(record, error)
            raise
        finally:
            self._streamed(record, total)

    def asking(self) -> bool:
        """Whether a model that may run is being asked now."""
        with self._lock:
            return any(
                call["outcome"]["status"] == "timed_out" and call["served"] == "live"
                for call in self.calls
            )

    def _begin(self, seen: Seen, *, streamed: bool) -> JsonObject:
        request = model_request(_name(seen.model), seen.input, _params(seen), seen.options)
        tool = self._inside_tool()
        record: JsonObject = {
            "request": request,
            # Stands until the call ends: a run that is cancelled leaves it like this.
            "outcome": {"status": "timed_out", "afterMs": 0},
            "startedAtMs": self._elapsed_ms(),
            "durationMs": 0,
            "served": "live",
            **({"streamed": True} if streamed else {}),
            **({"insideTool": tool} if tool else {}),
        }
        with self._lock:
            self.calls.append(record)
        return record

    def _recorded(self, record: JsonObject) -> JsonObject | None:
        """The recorded answer, or None when the model may run.

        Raises:
            ModelUnrecorded: it may not.
            Exception: the recorded error.
        """
        if self._book is None:
            return None
        with self._lock:
            call = self._book.answer(record["request"])
        outcome = None if call is None or call.get("lossy") else call["outcome"]
        if outcome is None or outcome["status"] == "timed_out":
            if self._may_run:
                return None
            model = record["request"]["model"]
            error = ModelUnrecorded(f"the model {model} was not asked this by the other side")
            self._end(record, {"status": "threw", "error": serialize_error(error)}, "refused")
            raise error
        self._end(record, outcome, "recorded")
        if outcome["status"] == "threw":
            raise rebuild_error(outcome["error"])
        return outcome["value"]

    def _returned(self, record: JsonObject, seen: Seen, result: Any) -> Any:
        response, whole = _response(seen, result)
        if not whole:
            record["lossy"] = True
        self._end(record, {"status": "returned", "value": response})
        return result

    def _streamed(self, record: JsonObject, total: _Total) -> None:
        if record["outcome"]["status"] == "threw":
            return
        if not total.whole:
            record["lossy"] = True  # Its reader left.
        self._end(record, {"status": "returned", "value": total.response()})

    def _threw(self, record: JsonObject, error: BaseException) -> None:
        self._end(record, {"status": "threw", "error": serialize_error(error)})

    def _end(self, record: JsonObject, outcome: JsonObject, served: str = "live") -> None:
        record.update(
            outcome=outcome,
            served=served,
            durationMs=round(self._elapsed_ms() - record["startedAtMs"], 3),
        )


class _Total:
    """What a stream's chunks add up to."""

    def __init__(self) -> None:
        self.whole = False
        self._sum: Any = None

    def add(self, chunk: Any) -> None:
        self._sum = chunk if self._sum is None else self._sum + chunk

    def response(self) -> JsonObject:
        message = getattr(self._sum, "message", None)
        if message is None:
            return model_response(str(getattr(self._sum, "text", "")))
        return model_response(message, getattr(self._sum, "generation_info", None))


def _name(model: Any) -> str:
    for field in ("model", "model_name", "model_id"):
        name = getattr(model, field, None)
        if isinstance(name, str) and name:
            return name
    return type(model).__name__


def _params(seen: Seen) -> dict[str, Any]:
    """What goes over the wire, as the model's package tells it to tracers."""
    model, options = seen.model, {**seen.options, "stop": seen.stop}
    try:
        if hasattr(model, "_get_invocation_params"):
            return dict(model._get_invocation_params(**options))
        return {**dict(model._identifying_params), **options}
    except Exception:  # The call itself will tell what is wrong with its options.
        return options


def _response(seen: Seen, result: Any) -> tuple[JsonObject, bool]:
    """The answer in what `_generate` gave, and whether that was all of it."""
    generations = result.generations
    output = getattr(result, "llm_output", None) or {}
    if seen.kind == "text":
        texts = [str(some[0].text) for some in generations]
        response = model_response({"content": texts[0] if len(texts) == 1 else texts}, output)
        return response, all(len(some) == 1 for some in generations)
    first = generations[0]
    details = {**output, **(first.generation_info or {})}
    return model_response(first.message, details), len(generations) == 1


def _result(seen: Seen, response: JsonObject) -> Any:
    """The recorded answer, as `_generate` would have given it."""
    from langchain_core.outputs import ChatGeneration, ChatResult, Generation, LLMResult

    if seen.kind == "text":
        content = response["content"]
        texts = content if isinstance(content, list) else [content]
        return LLMResult(generations=[[Generation(text=str(text))] for text in texts])
    from langchain_core.messages import AIMessage

    calls = [{**call, "type": "tool_call", "id": call.get("id")} for call in response["toolCalls"]]
    message = AIMessage(**_fields(response), tool_calls=calls)
    return ChatResult(generations=[ChatGeneration(message=message)])


def _chunk(seen: Seen, response: JsonObject) -> Any:
    """The recorded answer, as the one chunk of a stream."""
    from langchain_core.messages import AIMessageChunk
    from langchain_core.outputs import ChatGenerationChunk, GenerationChunk

    if seen.kind == "text":
        return GenerationChunk(text=str(response["content"]))
    pieces: list[Any] = [
        {"name": c["name"], "args": json.dumps(c["args"]), "id": c.get("id"), "index": index}
        for index, c in enumerate(response["toolCalls"])
    ]
    message: Any = AIMessageChunk(**_fields(response), tool_call_chunks=pieces)
    return ChatGenerationChunk(message=message)


def _fields(response: JsonObject) -> dict[str, Any]:
    # A copy: the chain may change what it is given, and the record must not follow.
    copied: JsonObject = json.loads(json.dumps(response))
    fields: dict[str, Any] = {
        "content": copied["content"],
        "additional_kwargs": copied.get("extra", {}),
        "response_metadata": copied.get("metadata", {}),
    }
    if "id" in copied:
        fields["id"] = copied["id"]
    if "usage" in copied:
        usage = copied["usage"]
        fields["usage_metadata"] = {
            "input_tokens": usage["inputTokens"],
            "output_tokens": usage["outputTokens"],
            "total_tokens": usage["totalTokens"],
        }
    return fields
