"""The threads of one LangGraph checkpointer, as one run knows them.

The twin of `adapter/threads.ts`. In a live run what is read is recorded, until the run itself
writes there. In recorded mode LangGraph's own `InMemorySaver` stands in, one for each run and
checkpointer: it holds the recorded checkpoints and whatever the run writes.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver

from .checkpoint_data import Place, config_of, lay, place_of
from .checkpoint_reads import CheckpointReads
from .delta_history import extended, unseeded
from .errors import EffectRefused
from .ledger import canonical_text
from .memory import Memory, Read, inside

Live = Callable[[], Any]

_END = object()


class Threads:
    """Its methods are those of a checkpointer, each with the way to the checkpointer itself."""

    METHODS = (
        "get_tuple", "list", "put", "put_writes", "delete_thread", "get_delta_channel_history",
        "aget_tuple", "alist", "aput", "aput_writes", "adelete_thread",
        "aget_delta_channel_history",
        "delete_for_runs", "copy_thread", "prune",
        "adelete_for_runs", "acopy_thread", "aprune",
    )  # fmt: skip

    def __init__(self, saver: Any, memory: Memory) -> None:
        self._saver = saver
        self._memory = memory
        self._reads = CheckpointReads(saver.serde, memory.ordinal("saver"))
        self._overlay = InMemorySaver(serde=saver.serde) if memory.isolated else None
        #: Places that need not be read any more: they were, or this run wrote there.
        self._known: set[str] = set()
        #: Of these, those where what is there is this run's.
        self._written: set[str] = set()
        #: Ids of the checkpoints that this run wrote, and of those that it read.
        self._own: set[str] = set()
        self._read: set[str] = set()
        self._deleted: set[str] = set()

    def get_tuple(self, live: Live, config: Any) -> Any:
        place = place_of(config)
        if self._is_known(place) or self._is_new(config):
            if self._overlay is None:
                return _reached(live)
        else:
            found = self._memory.before(self._reads.one(place), live)
            self._learn(place, found)
            if self._overlay is None:
                return found
        return self._held(place)

    async def aget_tuple(self, live: Live, config: Any) -> Any:
        place = place_of(config)
        if self._is_known(place) or self._is_new(config):
            if self._overlay is None:
                return await _areached(live)
        else:
            found = await self._memory.abefore(self._reads.one(place), live)
            self._learn(place, found)
            if self._overlay is None:
                return found
        return self._held(place)

    def list(self, live: Live, config: Any, **options: Any) -> Iterator[Any]:
        read = self._reads.several(config, options)
        if self._overlay is not None:
            found = self._memory.before(read, lambda: {"tuples": list(live()), "whole": True})
            yield from self._merged(found, config, options)
            self._end(read, found, options)
            return
        seen: dict[str, Any] = {"tuples": [], "whole": False}
        items = iter(live())
        try:
            while (item := _reached(lambda: next(items, _END))) is not _END:
                self._see(seen, item)
                yield item
            seen["whole"] = True
        finally:  # A reader that leaves early leaves a record that is not whole.
            self._memory.before(read, lambda: seen)

    async def alist(self, live: Live, config: Any, **options: Any) -> AsyncIterator[Any]:
        read = self._reads.several(config, options)
        if self._overlay is not None:

            async def gathered() -> Any:
                return {"tuples": [item async for item in live()], "whole": True}

            found = await self._memory.abefore(read, gathered)
            for item in self._merged(found, config, options):
                yield item
            self._end(read, found, options)
            return
        seen: dict[str, Any] = {"tuples": [], "whole": False}
        items = aiter(live())
        try:
            while (item := await _areached(lambda: anext(items, _END))) is not _END:
                self._see(seen, item)
                yield item
            seen["whole"] = True
        finally:
            self._memory.before(read, lambda: seen)

    def put(self, live: Live, config: Any, checkpoint: Any, *rest: Any, **named: Any) -> Any:
        self._wrote(config, checkpoint)
        return self._write(live, "put", config, checkpoint, *rest, **named)

    async def aput(self, live: Live, config: Any, checkpoint: Any, *rest: Any, **named: Any) -> Any:
        self._wrote(config, checkpoint)
        return await self._awrite(live, "put", config, checkpoint, *rest, **named)

    def put_writes(self, live: Live, *args: Any, **kwargs: Any) -> Any:
        return self._write(live, "put_writes", *args, **kwargs)

    async def aput_writes(self, live: Live, *args: Any, **kwargs: Any) -> Any:
        return await self._awrite(live, "put_writes", *args, **kwargs)

    def delete_thread(self, live: Live, thread_id: str) -> Any:
        self._deleted.add(str(thread_id))
        return self._write(live, "delete_thread", thread_id)

    async def adelete_thread(self, live: Live, thread_id: str) -> Any:
        self._deleted.add(str(thread_id))
        return await self._awrite(live, "delete_thread", thread_id)

    def get_delta_channel_history(self, live: Live, *, config: Any, channels: Sequence[str]) -> Any:
        place, found = place_of(config), functools.cache(live)
        if not self._is_own(place):
            reads = {channel: self._reads.deltas(place, channel) for channel in channels}
            return {
                channel: self._memory.before(read, lambda channel=channel: found()[channel])
                for channel, read in reads.items()
            }
        if self._overlay is None:
            return _reached(live)
        above = self._above(place)
        left = unseeded(above, channels)
        get = self._saver.get_delta_channel_history
        return extended(above, get(config=above.config, channels=left) if left else {}, channels)

    async def aget_delta_channel_history(
        self, live: Live, *, config: Any, channels: Sequence[str]
    ) -> Any:
        place, found = place_of(config), _once(live)

        async def one(channel: str) -> Any:
            return (await found())[channel]

        if not self._is_own(place):
            reads = {channel: self._reads.deltas(place, channel) for channel in channels}
            return {
                channel: await self._memory.abefore(read, functools.partial(one, channel))
                for channel, read in reads.items()
            }
        if self._overlay is None:
            return await _areached(live)
        above = self._above(place)
        left = unseeded(above, channels)
        get = self._saver.aget_delta_channel_history
        earlier = await get(config=above.config, channels=left) if left else {}
        return extended(above, earlier, channels)

    def _sweep(self, live: Live, *_args: Any, **_kwargs: Any) -> Any:
        """Work on many threads at once is nothing that one run can have to itself."""
        if self._overlay is None:
            return _reached(live)
        raise EffectRefused("a checkpointer was told to sweep its threads; it was not done")

    async def _asweep(self, live: Live, *args: Any, **kwargs: Any) -> Any:
        return await self._sweep(live, *args, **kwargs)

    delete_for_runs = copy_thread = prune = _sweep
    adelete_for_runs = acopy_thread = aprune = _asweep

    def _is_known(self, place: Place) -> bool:
        return str(place["thread_id"]) in self._deleted or canonical_text(place) in self._known

    def _is_own(self, place: Place) -> bool:
        """Whether what is there is this run's, and not only known to it."""
        return str(place["thread_id"]) in self._deleted or canonical_text(place) in self._written

    def _is_new(self, config: Any) -> bool:
        """Whether nothing can have been there before this run.

        A graph inside a graph is named after its task, and that after the checkpoint around it:
        this holds below each checkpoint that this run did not read, but made.
        """
        configurable = config.get("configurable", {})
        around, _, name = configurable.get("checkpoint_ns", "").rpartition("|")
        parent = configurable.get("checkpoint_map", {}).get(around)
        return ":" in name and parent is not None and parent not in self._read

    def _know(self, place: Place) -> None:
        self._known.update(_texts_of(place))

    def _learn(self, place: Place, found: Any) -> None:
        self._know(place)
        if found is None:
            return
        self._know(place_of(found.config))
        self._read.add(found.checkpoint["id"])
        if self._overlay is not None:
            with inside():
                lay(found, self._overlay)

    def _wrote(self, config: Any, checkpoint: Any) -> None:
        place = {**place_of(config), "checkpoint_id": checkpoint["id"]}
        self._know(place)
        self._written.update(_texts_of(place))
        self._own.add(checkpoint["id"])

    def _above(self, place: Place) -> Any:
        """The checkpoint above one of this run's; what a run builds on it wrote or read."""
        item = self._held(place)
        if item is None or item.parent_config is None:
            return None
        parent = place_of(item.parent_config)
        above = self._held(parent)
        if above is None:
            raise self._memory.unrecorded(self._reads.one(parent))
        return above

    def _held(self, place: Place) -> Any:
        assert self._overlay is not None
        with inside():
            return self._overlay.get_tuple(config_of(place))

    def _write(self, live: Live, name: str, *args: Any, **kwargs: Any) -> Any:
        with inside():
            return (
                live() if self._overlay is None else getattr(self._overlay, name)(*args, **kwargs)
            )

    async def _awrite(self, live: Live, name: str, *args: Any, **kwargs: Any) -> Any:
        if self._overlay is None:
            return await _areached(live)
        return self._write(live, name, *args, **kwargs)

    def _see(self, seen: dict[str, Any], item: Any) -> None:
        if item.checkpoint["id"] not in self._own:
            seen["tuples"].append(item)

    def _merged(self, found: Any, config: Any, options: dict[str, Any]) -> list[Any]:
        """What this run wrote comes before what was there: LangGraph's ids grow with time."""
        assert self._overlay is not None
        with inside():
            held = list(self._overlay.list(config, **{**options, "limit": None}))
        own = [item for item in held if item.checkpoint["id"] in self._own]
        gone = config is not None and str(place_of(config)["thread_id"]) in self._deleted
        return [*own, *([] if gone else found["tuples"])][: options.get("limit")]

    def _end(self, read: Read, found: Any, options: dict[str, Any]) -> None:
        limit = options.get("limit")
        if not found["whole"] and (limit is None or len(found["tuples"]) < limit):
            raise self._memory.unrecorded(read)


def _texts_of(place: Place) -> tuple[str, str]:
    """Of a checkpoint, and of the newest one of its thread, which it is."""
    newest = {name: value for name, value in place.items() if name != "checkpoint_id"}
    return canonical_text(place), canonical_text(newest)


def _once(live: Live) -> Live:
    """Asked any number of times one after another, it is awaited once."""
    found: list[Any] = []

    async def once() -> Any:
        if not found:
            found.append(await live())
        return found[0]

    return once


def _reached(live: Live) -> Any:
    with inside():
        return live()


async def _areached(live: Live) -> Any:
    with inside():
        return await live()
