"""One `tools/call`: LangChain's own way into the tool.

Always with a ToolCall envelope: only then do artifact, status and content blocks survive, and
arguments that look like an envelope cannot be mistaken for one. The raw return value is kept
aside, because LangChain turns everything but strings and content blocks into text.

A sync tool runs in a thread from beginning to end; a tool with code of its own for `await` runs on
the event loop. Arguments that LangChain does not check itself (a dict schema, no schema) are
checked against the contract, and a broken one takes LangChain's way of a broken argument.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from inspect import isasyncgen, isawaitable, isgenerator
from typing import Any, get_type_hints

from .binding import Binding, Host, injected_values
from .capture import CURRENT, Unobserved, observed
from .contract import Bridged
from .injection import ById, published_names, refused_names
from .loading import Tool
from .result import MISSING, broke_in_print, failure, result_of
from .run_config import NOTHING, RunConfig
from .schema import synthetic_names
from .signature import is_langchain_code, is_single_input
from .value import JsonObject, to_json, to_text
from .violation import violations

__all__ = ["Call", "call_in_thread", "call_on_loop", "runs_in_thread"]

#: Called with the number of items so far and the item's text.
Progress = Callable[[int, str], None]

#: Gives the event loop, started if there is none yet.
Loop = Callable[[], asyncio.AbstractEventLoop]


def _no_progress(_done: int, _text: str) -> None:
    pass


@dataclass
class Call:
    """What a caller asked for, and what its host adds."""

    args: JsonObject
    inject: JsonObject = field(default_factory=dict[str, Any])
    #: What `--inject` gives.
    binding: Binding | None = None
    progress: Progress = _no_progress
    #: W3C trace context; tools find it in their config's metadata.
    trace: JsonObject = field(default_factory=dict[str, Any])
    run_config: RunConfig = NOTHING
    cancelled: bool = False


def runs_in_thread(tool: Tool) -> bool:
    """True when nothing of the tool's own code is async: then no event loop is in its way."""
    if getattr(tool, "coroutine", None) is not None:
        return False
    return all(map(is_langchain_code, (tool.ainvoke, tool.arun, tool._arun)))


def call_in_thread(bridged: Bridged, call: Call, loop: Loop) -> JsonObject:
    """Call a sync tool in this thread; whatever the tool does becomes a result.

    Raises:
        RequestError: an argument that the host has to inject is not there, or is not injectable.
    """
    prepared = _prepare(bridged, call, loop)
    if isinstance(prepared, dict):
        return prepared
    with prepared:
        try:
            message = _twin(ById(bridged.tool)).invoke(prepared.envelope, prepared.config)
        except BaseException as error:  # SystemExit in a tool is the tool's failure, not our end.
            return prepared.failed(bridged, error)
    return result_of(bridged, message, prepared.raw, prepared.started)


async def call_on_loop(bridged: Bridged, call: Call) -> JsonObject:
    """Call any tool from the event loop; otherwise like `call_in_thread`."""
    prepared = _prepare(bridged, call, asyncio.get_running_loop)
    if isinstance(prepared, dict):
        return prepared
    with prepared:
        try:
            message = await _twin(ById(bridged.tool)).ainvoke(prepared.envelope, prepared.config)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            return prepared.failed(bridged, error)
    return result_of(bridged, message, prepared.raw, prepared.started)


class _Running:
    """One call while it runs: what LangChain is given, and what the tool's body does."""

    def __init__(self, call: Call, loop: asyncio.AbstractEventLoop | None, get_loop: Loop) -> None:
        self.started = time.perf_counter()
        self.raw: Any = MISSING
        self.envelope: JsonObject = {}
        self.config: JsonObject = dict(call.run_config.config)
        if call.trace:
            self.config["metadata"] = {**self.config.get("metadata", {}), **call.trace}
        self._call = call
        self._home = loop
        self._get_loop = get_loop
        self._items = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._tokens = (_RUNNING.set(self), CURRENT.set(Unobserved()))

    def __exit__(self, *_: object) -> None:
        running, current = self._tokens
        _RUNNING.reset(running)
        CURRENT.reset(current)

    def failed(self, bridged: Bridged, error: BaseException) -> JsonObject:
        """The result of a call that raised."""
        if self.raw is not MISSING and broke_in_print(error):
            return result_of(bridged, None, self.raw, self.started)
        return failure(bridged.tool, error, self.started)

    def tell(self, item: Any) -> Any:
        """Report an item as progress."""
        text = item if isinstance(item, str) else to_text(to_json(item).value)
        with self._lock:  # Progress has to rise, also when several threads report.
            self._items += 1
            self._call.progress(self._items, text)
        return item

    def finish(self, tool: Tool, value: Any) -> Any:
        """Read to its end what came from a sync body."""
        if isgenerator(value):
            value = self._chosen(tool, *self._drain(value))
        elif isasyncgen(value):
            value = self._chosen(tool, self._wait_for(self._adrain(value)), None)
        elif isawaitable(value):
            value = self._wait_for(_awaited(value))
        self.raw = value
        return value

    async def afinish(self, tool: Tool, value: Any) -> Any:
        """Read to its end what came from an async body."""
        if isasyncgen(value):
            value = self._chosen(tool, await self._adrain(value), None)
        elif isgenerator(value):
            value = self._chosen(tool, *await asyncio.to_thread(self._drain, value))
        self.raw = value
        return value

    def _chosen(self, tool: Tool, items: list[Any], returned: Any) -> Any:
        """A generator's result: what it returned, else the list of what it yielded.

        Of a tool with an artifact the last item, because only that can be the pair it has to be.
        """
        if returned is not None:
            return returned
        wants_pair = getattr(tool, "response_format", "content") == "content_and_artifact"
        return items[-1] if wants_pair and items else items

    def _drain(self, items: Any) -> tuple[list[Any], Any]:
        drained: list[Any] = []
        while not self._call.cancelled:
            try:
                drained.append(self.tell(next(items)))
            except StopIteration as end:
                return drained, end.value
        items.close()
        raise InterruptedError("the call was cancelled")

    async def _adrain(self, items: Any) -> list[Any]:
        return [self.tell(item) async for item in items]

    def _wait_for(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._home or self._get_loop()).result()


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value


_RUNNING: ContextVar[_Running] = ContextVar("twintrack_call")


class _ToRunning:
    """The observer of all direct calls; which call it is, the context says."""

    def call(self, tool: Tool, body: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        return _RUNNING.get().finish(tool, body(*args, **kwargs))

    async def acall(
        self, tool: Tool, body: Callable[..., Awaitable[Any]], args: Any, kwargs: Any
    ) -> Any:
        return await _RUNNING.get().afinish(tool, await body(*args, **kwargs))


def _prepare(bridged: Bridged, call: Call, get_loop: Loop) -> _Running | JsonObject:
    """The call as LangChain wants it, or the result that refuses it."""
    tool = bridged.tool
    home = get_loop() if get_loop is asyncio.get_running_loop else None
    running = _Running(call, home, get_loop)
    call_id = f"call_{os.urandom(12).hex()}"
    injected: JsonObject = {}
    if bridged.injected or call.inject:
        host = Host(
            call.inject,
            call.binding or Binding(),
            call_id,
            running.config,
            call.run_config.context,
            running.tell,
        )
        spelt = published_names(tool)  # A field with an alias is not filled by its own name.
        given = injected_values(bridged, host)
        injected = {spelt.get(name, name): value for name, value in given.items()}
    if sent := sorted(call.args.keys() & refused_names(tool)):
        refusal = f"Argument {', '.join(sent)} is filled by the host and may not be sent"
        return failure(tool, ValueError(refusal), running.started)
    synthetic = _synthetic_names(ById(tool))
    args = {name: value for name, value in call.args.items() if name not in synthetic}
    running.envelope = {
        "type": "tool_call",
        "id": call_id,
        "name": tool.name,
        "args": args | injected,
    }
    return running


@lru_cache(maxsize=512)
def _twin(key: ById) -> Tool:
    """The tool with its body observed and its arguments checked; made once."""
    tool = key.tool
    twin = observed(tool, _ToRunning())
    for method in (twin._run, twin._arun):
        _read_once(method)
    if isinstance(tool.args_schema, dict) or (
        tool.args_schema is None and not is_single_input(tool)
    ):
        object.__setattr__(twin, "_parse_input", _checked(tool, twin._parse_input))
    return twin


def _read_once(method: Any) -> None:
    """LangChain reads signature and annotations of the body at each call: let it find them read."""
    try:
        signature, hints = inspect.signature(method), get_type_hints(method)
    except Exception:
        return  # Then LangChain cannot read them either, and goes without.
    method.__signature__, method.__annotations__ = signature, hints


@lru_cache(maxsize=512)
def _synthetic_names(key: ById) -> frozenset[str]:
    return synthetic_names(key.tool)


def _checked(tool: Tool, parse: Callable[..., Any]) -> Callable[..., Any]:
    from .schema import input_schema

    schema, hidden = input_schema(tool), refused_names(tool)

    def parse_checked(given: Any, *rest: Any) -> Any:
        if isinstance(given, dict):
            shown = {name: value for name, value in given.items() if name not in hidden}
            _refuse(tool, shown, violations(schema, shown))
        return parse(given, *rest)

    return parse_checked


def _refuse(tool: Tool, args: JsonObject, broken: list[Any]) -> None:
    """Raise pydantic's own error, which `handle_validation_error` knows."""
    if not broken:
        return
    from pydantic_core import PydanticCustomError, ValidationError

    errors: list[Any] = [
        {
            "type": PydanticCustomError("contract", "{problem}", {"problem": one.problem}),
            "loc": one.path,
            "input": args,
        }
        for one in broken
    ]
    raise ValidationError.from_exception_data(str(tool.name), errors)
