"""Streaming a chain, and what its chunks add up to: what `ainvoke` would have returned."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from .run_config import RunConfig

#: Takes a chunk; returns when the next may be made.
Hand = Callable[[Any], Awaitable[None]]

#: Keyword arguments with the run configuration.
_Given = dict[str, Any]

_INTERRUPT = "__interrupt__"


async def stream(chain: Any, value: Any, run_config: RunConfig, hand: Hand) -> Any:
    """Hand over the chunks of any chain and return its answer."""
    if not callable(getattr(chain, "astream", None)):
        return await _stream_function(chain, value, run_config.for_function(chain), hand)
    given = run_config.for_runnable(chain)
    if hasattr(chain, "stream_mode") and hasattr(chain, "output_channels"):
        return await _stream_graph(chain, value, given, hand)
    if hasattr(chain, "return_intermediate_steps") and callable(
        getattr(chain, "prep_inputs", None)
    ):
        return await _stream_executor(chain, value, given, hand)
    return finished(await _joined(chain.astream(value, **given), hand))


async def _joined(chunks: AsyncIterator[Any], hand: Hand) -> Any:
    """Chunks are added, as LangChain adds them; what cannot be added is replaced."""
    total, empty = None, True
    async for chunk in chunks:
        total, empty = (chunk, False) if empty else (_added(total, chunk), False)
        await hand(chunk)
    return total


def _added(total: Any, chunk: Any) -> Any:
    try:
        return total + chunk
    except TypeError:
        return chunk


async def _stream_graph(graph: Any, value: Any, given: _Given, hand: Hand) -> Any:
    """Chunks of the graph's own mode; the answer is the last state, as in the graph's `invoke`."""
    own = graph.stream_mode
    shown = [own] if isinstance(own, str) else list(own)
    modes = list(dict.fromkeys([*shown, "values", "updates"]))
    state: Any = None
    interrupts: list[Any] = []
    async for mode, chunk in graph.astream(
        value, stream_mode=modes, output_keys=graph.output_channels, **given
    ):
        if mode == "values":
            state = chunk
        elif mode == "updates" and isinstance(chunk, dict):
            interrupts.extend(chunk.get(_INTERRUPT, ()))
        if mode in shown:
            await hand(chunk if len(shown) == 1 else (mode, chunk))
    if not interrupts:
        return state
    return {**(state if isinstance(state, dict) else {}), _INTERRUPT: interrupts}


async def _stream_executor(executor: Any, value: Any, given: _Given, hand: Hand) -> Any:
    """An `AgentExecutor` yields actions and steps, and last its outputs without its inputs."""
    inputs = executor.prep_inputs(value)  # Before the run, which may add to the memory.
    last: Any = {}
    async for chunk in executor.astream(value, **given):
        last = chunk
        await hand(chunk)
    return {**inputs, **{key: item for key, item in last.items() if key != "messages"}}


async def _stream_function(function: Any, value: Any, given: _Given, hand: Hand) -> Any:
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        returned = function(value, **given)
    else:
        returned = await asyncio.to_thread(function, value, **given)
    if inspect.isawaitable(returned):
        returned = await returned
    if inspect.isasyncgen(returned):
        return finished(await _joined(returned, hand))
    if inspect.isgenerator(returned):
        return finished(await _joined(_in_thread(returned), hand))
    await hand(returned)
    return returned


_END = object()


async def _in_thread(items: Iterator[Any]) -> AsyncIterator[Any]:
    """A generator's code may block, so it does not run on the loop."""
    while (item := await asyncio.to_thread(next, items, _END)) is not _END:
        yield item


def finished(value: Any) -> Any:
    """Joined message chunks as the messages that `ainvoke` gives, and plain containers."""
    if isinstance(value, dict):
        return {key: finished(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finished(item) for item in value]
    if type(value).__name__.endswith("MessageChunk"):
        from langchain_core.messages import message_chunk_to_message

        return message_chunk_to_message(value)
    return value
