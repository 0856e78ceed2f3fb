"""The calls of one chain run: recorded, and in recorded mode answered or refused.

`live`: tools run. `recorded`: a call is answered by the ledger's rule; for a read without a record
the tool may run, or the client is asked, when the caller said so; a write never runs, because
nothing here runs a tool whose effect is `write` in that mode. Only the outermost call is recorded:
what a tool calls inside itself is part of that tool, and is not called when the tool is answered
from a record.
"""

from __future__ import annotations

import asyncio
import copy
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

from .errors import (
    EffectRefused,
    EgressRefused,
    ReadUnrecorded,
    ToolRefused,
    serialize_error,
)
from .ledger import AnswerBook, Effect, Recorded, Refused, call_key, effect_of
from .loading import Tool
from .memory import Memory, inside_memory
from .model_recording import ModelBook, ModelRecording
from .questions import AskedReads
from .tool_record import (
    named_arguments,
    rebuilt,
    recorded_return,
    replayed,
    returns_artifact,
)
from .value import JsonObject, JsonValue


@dataclass(frozen=True)
class Live:
    """Tools run and are recorded."""


@dataclass(frozen=True)
class FromRecord:
    """Tools are answered from `book`, models from `models` where it has the same request."""

    book: AnswerBook
    reads: Literal["recorded", "live"] | AskedReads
    models: ModelBook
    unrecorded_models: Literal["recorded", "live"]
    memory: Sequence[JsonObject] = ()


#: The name of the outermost tool whose body runs.
_INSIDE_TOOL: ContextVar[str | None] = ContextVar("twintrack_inside_tool", default=None)


class Recording:
    """Observes the tools of one chain run; see the module's text for the modes."""

    def __init__(self, tools: Live | FromRecord, effects: JsonObject) -> None:
        self.calls: list[JsonObject] = []
        self._tools = tools
        self._effects = effects
        self._seen: dict[str, int] = {}
        self._lock = threading.RLock()  # The egress guard may ask in the midst of a call.
        self._started = time.perf_counter()
        self._closed = False
        from_record = tools if isinstance(tools, FromRecord) else None
        self.models = ModelRecording(
            from_record and from_record.models,
            may_run=from_record is None or from_record.unrecorded_models == "live",
            elapsed_ms=self.elapsed_ms,
            inside_tool=_INSIDE_TOOL.get,
        )
        self.memory = Memory(
            from_record and from_record.memory,
            reads_live=from_record is not None and from_record.reads == "live",
            inside_tool=_INSIDE_TOOL.get,
        )

    def close(self) -> None:
        """End the run: what a forgotten thread still calls is refused in recorded mode."""
        self._closed = True
        if isinstance(self._tools, FromRecord) and isinstance(self._tools.reads, AskedReads):
            self._tools.reads.close()

    def snapshot(self) -> list[JsonObject]:
        """The calls so far, as a copy: a forgotten thread may still be writing into a record."""
        calls = [dict(call) for call in self.calls]
        for call in calls:
            if call["outcome"]["status"] == "timed_out":
                after_ms = round(self.elapsed_ms() - call["startedAtMs"], 3)
                call.update(outcome={"status": "timed_out", "afterMs": after_ms})
        return calls

    def elapsed_ms(self) -> float:
        """Since the run started."""
        return round((time.perf_counter() - self._started) * 1000, 3)

    def reaching(self) -> bool:
        """Whether a tool, a model or a memory of this run is at work that may reach the world."""
        return _INSIDE_TOOL.get() is not None or self.models.asking() or inside_memory()

    def note_attempt(self, attempt: str) -> None:
        """Record what was refused, as a write that nothing on the other side can equal."""
        with self._lock:
            record = self._record("egress", "write", attempt)
            refusal = _threw(EgressRefused(f"tried to {attempt} outside of a tool"))
            _Entry(record).finish(self.elapsed_ms(), refusal, served="refused")

    def call(self, tool: Tool, body: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Observe `_run`."""
        entry = self._begin(tool, body, args, kwargs)
        if entry is not None and entry.answered:
            return entry.answer
        if entry is not None and entry.asked is not None:
            with self._waiting(tool, entry) as finish:
                return finish(entry.asked.result())
        with self._running(tool, entry, kwargs) as finish:
            return finish(body(*args, **kwargs))

    async def acall(
        self, tool: Tool, body: Callable[..., Awaitable[Any]], args: Any, kwargs: Any
    ) -> Any:
        """Observe `_arun`."""
        entry = self._begin(tool, body, args, kwargs)
        if entry is not None and entry.answered:
            return entry.answer
        if entry is not None and entry.asked is not None:
            with self._waiting(tool, entry) as finish:
                return finish(await asyncio.wrap_future(entry.asked))
        with self._running(tool, entry, kwargs) as finish:
            return finish(await body(*args, **kwargs))

    def _begin(self, tool: Tool, body: Any, args: Any, kwargs: Any) -> _Entry | None:
        name, effect = str(tool.name), effect_of(self._effects, str(tool.name))
        if _INSIDE_TOOL.get() is not None and self._may_run(effect):
            return None
        with self._lock:
            entry = _Entry(self._record(name, effect, named_arguments(tool, body, args, kwargs)))
            try:
                self._answer(tool, entry, effect, kwargs)
            except ToolRefused as refusal:
                entry.finish(self.elapsed_ms(), _threw(refusal), served="refused")
                raise
            except BaseException as recorded_error:
                entry.finish(self.elapsed_ms(), _threw(recorded_error), served="recorded")
                raise
        return entry

    def _may_run(self, effect: Effect) -> bool:
        """The one place that lets a tool's body run."""
        if isinstance(self._tools, Live):
            return True
        return effect == "read" and self._tools.reads == "live" and not self._closed

    def _record(self, name: str, effect: Effect, args: JsonValue) -> JsonObject:
        key = call_key(name, args)
        occurrence = self._seen.get(key, 0)
        self._seen[key] = occurrence + 1
        record: JsonObject = {
            "tool": name,
            "args": args,
            "effect": effect,
            "occurrence": occurrence,
            # Stands until the call ends: a run that is cancelled leaves it like this.
            "outcome": {"status": "timed_out", "afterMs": 0},
            "startedAtMs": self.elapsed_ms(),
            "durationMs": 0,
            "served": "live",
        }
        self.calls.append(record)
        return record

    def _answer(self, tool: Tool, entry: _Entry, effect: Effect, kwargs: Any) -> None:
        """Answer from the record, ask the client, or leave the entry open: the tool may run.

        Raises:
            ToolRefused: the call may not be executed.
            Exception: the recorded error.
        """
        if isinstance(self._tools, Live):
            return
        name = entry.record["tool"]
        answer = self._tools.book.answer(name, entry.record["args"], effect)
        if isinstance(answer, Recorded):
            value = replayed(tool, answer.call, kwargs)
            entry.answered, entry.answer = True, value
            outcome = answer.call["outcome"]
            entry.finish(self.elapsed_ms(), outcome, served="recorded", like=answer.call)
        elif isinstance(answer, Refused):
            raise EffectRefused(f"{name} is a write that the other side did not make; not executed")
        elif isinstance(self._tools.reads, AskedReads):
            entry.ask(self._tools.reads)
        elif not self._may_run(effect):
            raise ReadUnrecorded(f"{name} was not called like this by the other side; not executed")

    @contextmanager
    def _waiting(
        self, tool: Tool, entry: _Entry
    ) -> Generator[Callable[[JsonValue], Any], None, None]:
        """For the client's answer. A wait that ends with its run leaves the call unfinished."""

        def finish(answer: JsonValue) -> Any:
            # A copy: the chain may change what it is given, and the record must not follow.
            outcome = {"status": "returned", "value": copy.deepcopy(answer)}
            entry.finish(self.elapsed_ms(), outcome, served="snapshot")
            return rebuilt(tool, answer)

        try:
            yield finish
        except ToolRefused as refusal:
            entry.finish(self.elapsed_ms(), _threw(refusal), served="snapshot")
            raise
        except CancelledError as ended:
            raise ReadUnrecorded(f"{tool.name} was not answered before its run ended") from ended

    @contextmanager
    def _running(
        self, tool: Tool, entry: _Entry | None, kwargs: Any
    ) -> Generator[Callable[[Any], Any], None, None]:
        def finish(value: Any) -> Any:
            if entry is not None:
                outcome, marks = recorded_return(
                    value, has_artifact=returns_artifact(tool), tool=tool, kwargs=kwargs
                )
                entry.finish(self.elapsed_ms(), outcome)
                entry.record.update(marks)
            return value

        token = _INSIDE_TOOL.set(_INSIDE_TOOL.get() or str(tool.name))
        try:
            yield finish
        except BaseException as error:
            if entry is not None:
                entry.finish(self.elapsed_ms(), _threw(error))
            raise
        finally:
            _INSIDE_TOOL.reset(token)


class _Entry:
    def __init__(self, record: JsonObject) -> None:
        self.record = record
        self.answered = False
        self.answer: Any = None
        #: Comes from the client.
        self.asked: Future[JsonValue] | None = None

    def ask(self, reads: AskedReads) -> None:
        """Ask the client for it.

        Raises:
            ReadUnrecorded: the run has ended.
        """
        self.asked = reads.ask(self.record["tool"], self.record["args"])
        self.record["served"] = "snapshot"

    def finish(
        self,
        now_ms: float,
        outcome: JsonObject,
        served: str = "live",
        like: JsonObject | None = None,
    ) -> None:
        self.record["outcome"] = outcome
        self.record["served"] = served
        self.record["durationMs"] = round(now_ms - self.record["startedAtMs"], 3)
        if like is not None and "floats" in like:
            self.record["floats"] = like["floats"]


def _threw(error: BaseException) -> JsonObject:
    return {"status": "threw", "error": serialize_error(error)}
