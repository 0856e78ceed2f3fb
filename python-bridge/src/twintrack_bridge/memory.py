"""The memory of one chain run: what it reads is recorded, and in recorded mode answered.

The twin of `adapter/memory.ts`. In a live run memory is LangChain's own; a read is recorded as it
was before this run wrote, which those who read see to (`chat_history.py`, `threads.py`). In
recorded mode they lay what the run writes over what was recorded, and nothing reaches the memory
itself. What the code of a tool does with memory is a part of that tool.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from .capture import CURRENT
from .errors import ReadUnrecorded, RecordingLossy, ToolRefused
from .ledger import canonical_text
from .value import Converted, JsonObject, JsonValue, in_digits, restore, to_text

#: A snapshot beyond it is not kept: it would travel with each run. In characters of JSON.
MAX_SNAPSHOT_LENGTH = 1024 * 1024

#: What a memory does inside of itself is a part of it.
_INSIDE_MEMORY: ContextVar[bool] = ContextVar("twintrack_inside_memory", default=False)


@dataclass(frozen=True)
class Read:
    """One read of memory as it was before the run, and how its value becomes data and back."""

    kind: str
    key: JsonValue
    encode: Callable[[Any], Converted]
    decode: Callable[[JsonValue], Any]

    @property
    def name(self) -> str:
        """Equal for equal reads."""
        return f"{self.kind} {canonical_text(self.key)}"


@dataclass(frozen=True)
class _Known:
    value: Any


class Memory:
    """See the module's text. `recorded` is what the first run read; None in a live run."""

    def __init__(
        self,
        recorded: Sequence[JsonObject] | None,
        *,
        reads_live: bool,
        inside_tool: Callable[[], object],
    ) -> None:
        self.isolated = recorded is not None
        self.reads: list[JsonObject] = []
        self._recorded = _by_name(recorded or ())
        self._reads_live = reads_live
        self._inside_tool = inside_tool
        self._lock = threading.RLock()
        self._held: dict[Any, tuple[object, Any]] = {}
        self._counts: dict[str, int] = {}
        self._last: dict[str, str] = {}
        self._length = 0

    def counts(self) -> bool:
        """False for what a tool does inside of itself while it really runs."""
        return self.isolated or self._inside_tool() is None

    def held(self, name: object, make: Callable[[], Any]) -> Any:
        """What this run holds under a name or for an object; no other run has it."""
        key = name if isinstance(name, str) else id(name)
        with self._lock:
            if key not in self._held:
                self._held[key] = (name, make())
            return self._held[key][1]

    def ordinal(self, sort: str) -> int:
        """0 for the first of its sort that this run used: two runs of one chain count alike."""
        with self._lock:
            self._counts[sort] = self._counts.get(sort, -1) + 1
            return self._counts[sort]

    def before(self, read: Read, live: Callable[[], Any]) -> Any:
        """The value before the run.

        Raises:
            ToolRefused: the first run did not read this, or its record is not whole.
        """
        known = self._recall(read)
        if known is not None:
            return known.value
        with inside():
            value = live()
        self._note(read, value)
        return value

    async def abefore(self, read: Read, live: Callable[[], Awaitable[Any]]) -> Any:
        """The same, of a memory that is asked asynchronously."""
        known = self._recall(read)
        if known is not None:
            return known.value
        with inside():
            value = await live()
        self._note(read, value)
        return value

    def refuse(self, read: Read, refusal: ToolRefused) -> ToolRefused:
        """Give a read up: this run then says nothing of its side."""
        lossy = {"lossy": True} if isinstance(refusal, RecordingLossy) else {}
        self.reads.append({"kind": read.kind, "key": read.key, **lossy, "served": "refused"})
        return refusal

    def unrecorded(self, read: Read) -> ToolRefused:
        """The same, for one that the first run did not make."""
        return self.refuse(
            read, ReadUnrecorded(f"Memory was not read like this by the other side: {read.name}")
        )

    def _recall(self, read: Read) -> _Known | None:
        if not self.isolated:
            return None
        with self._lock:
            known = self._recorded.get(read.name)
            if known is None:
                if self._reads_live:
                    return None
                raise self.unrecorded(read)
            # Read more often than the first time: memory does not change by itself.
            record = known.pop(0) if len(known) > 1 else known[0]
        if record.get("lossy") or "value" not in record:
            text = f"Memory held what its record cannot hold, or more than it may: {read.name}"
            raise self.refuse(read, RecordingLossy(text))
        value = restore(in_digits(record["value"]), record.get("floats", ()))
        return _Known(read.decode(value))

    def _note(self, read: Read, value: Any) -> None:
        if self.isolated:
            return
        record: JsonObject = {"kind": read.kind, "key": read.key, "served": "live"}
        try:
            converted = read.encode(value)
        except Exception:  # Nothing that goes wrong with a record is the chain's concern.
            converted = Converted(None, lossy=True, floats=())
        text = to_text(converted.value)
        with self._lock:
            if converted.lossy or self._length + len(text) > MAX_SNAPSHOT_LENGTH:
                record["lossy"] = True
            elif self._last.get(read.name) != text:
                self._length += len(text)
                record["value"] = converted.value
                if converted.floats:
                    record["floats"] = list(converted.floats)
            self._last[read.name] = text
            self.reads.append(record)


def _by_name(recorded: Sequence[JsonObject]) -> dict[str, list[JsonObject]]:
    """By name, in the order in which they were made, each with its value."""
    by_name: dict[str, list[JsonObject]] = {}
    for read in recorded:
        earlier = by_name.setdefault(f"{read['kind']} {canonical_text(read['key'])}", [])
        same = "value" not in read and not read.get("lossy") and earlier
        earlier.append(earlier[-1] if same else read)
    return by_name


def current_memory() -> Memory | None:
    """The memory that a read or write belongs to; none outside of runs and inside of memory."""
    memory = getattr(CURRENT.get(), "memory", None)
    if memory is None or inside_memory():
        return None
    return memory if memory.counts() else None


def inside_memory() -> bool:
    """Whether a memory's own code runs, which may reach the world."""
    return _INSIDE_MEMORY.get()


@contextmanager
def inside() -> Generator[None, None, None]:
    """Run a memory's own code."""
    token = _INSIDE_MEMORY.set(True)
    try:
        yield
    finally:
        _INSIDE_MEMORY.reset(token)
