"""How many chunks may be on their way: a slow reader makes the chain wait, not memory grow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from .value import JsonValue, to_json

#: Enough that a fast reader never waits for a round trip.
CHUNKS = 16


class Window:
    """The chunks of one streamed run."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Callable[[JsonValue], None]) -> None:
        self._loop = loop
        self._send = send
        self._free = asyncio.Semaphore(CHUNKS)

    async def hand(self, chunk: Any) -> None:
        """Send a chunk as soon as there is room for it."""
        await self._free.acquire()
        self._send(to_json(chunk).value)

    def taken(self) -> None:
        """The other side took one; from any thread."""
        self._loop.call_soon_threadsafe(self._free.release)
