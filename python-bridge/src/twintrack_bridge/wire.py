"""Newline-delimited JSON-RPC on private descriptors.

Frames end at byte 0x0A and nowhere else. Descriptors 0 and 1 are taken away before user code is
imported, so that `print`, a C library or a child process can neither write into a frame nor read
one: 1 becomes stderr, 0 becomes /dev/null.
"""

from __future__ import annotations

import json
import os
import queue
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TextIO, cast

from .value import JsonObject, JsonValue, to_text

#: Bytes. A longer frame is dropped and answered with an error.
MAX_FRAME_BYTES = 4 * 1024 * 1024

_READ_BYTES = 1 << 16
_ID_IN_PREFIX = re.compile(rb'"id"\s*:\s*(-?\d{1,18}|"(?:[^"\\]|\\.){0,128}")')
_PREFIX_BYTES = 256


@dataclass(frozen=True)
class Frame:
    """The bytes of one line."""

    data: bytes


@dataclass(frozen=True)
class Oversize:
    """A dropped line; `request_id` when its first bytes tell it."""

    request_id: JsonValue


def divert_descriptors() -> tuple[int, int]:
    """Move stdin and stdout to private descriptors, which child processes do not inherit."""
    private_in, private_out = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        # What a tool prints must be in the tail of stderr when the process dies.
        cast("Any", cast("TextIO", stream)).reconfigure(
            line_buffering=True, errors="backslashreplace"
        )
    return private_in, private_out


class FrameSplitter:
    """Cuts a byte stream into frames; holds at most one frame of `limit` bytes."""

    def __init__(self, limit: int = MAX_FRAME_BYTES) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self._prefix: bytes | None = None  # Set while a too long frame is being skipped.

    def feed(self, data: bytes) -> Iterator[Frame | Oversize]:
        """Frames that end in `data`."""
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._add(piece)
            frame = self._take()
            if frame is not None:
                yield frame
        self._add(rest)

    def _add(self, piece: bytes) -> None:
        if self._prefix is None:
            self._parts.append(piece)
            self._size += len(piece)
            if self._size > self._limit:
                self._prefix = b"".join(self._parts)[:_PREFIX_BYTES]
                self._parts.clear()

    def _take(self) -> Frame | Oversize | None:
        prefix, parts = self._prefix, self._parts
        self._prefix, self._parts, self._size = None, [], 0
        if prefix is not None:
            found = _ID_IN_PREFIX.search(prefix)
            return Oversize(json.loads(found.group(1)) if found else None)
        line = b"".join(parts).strip(b" \t\r")
        return Frame(line) if line else None


def decode(frame: Frame) -> JsonValue:
    """The frame's JSON value.

    Raises:
        ValueError: not UTF-8, not JSON, NaN or an infinity, or nested too deep.
    """
    try:
        return json.loads(frame.data.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def read_frames(descriptor: int, receive: Callable[[Frame | Oversize], None]) -> None:
    """Pass every frame to `receive` until the other side closes or is gone."""
    splitter = FrameSplitter()
    while data := os.read(descriptor, _READ_BYTES):
        for frame in splitter.feed(data):
            receive(frame)


class FrameWriter:
    """Writes frames from a thread of its own, so that a slow reader never blocks the loop."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._drain, daemon=True, name="twintrack-writer")
        self._thread.start()

    def send(self, message: JsonObject) -> None:
        """Queue one message. Its data comes from `to_json`, so that it always has a JSON text."""
        self._queue.put(to_text(message).encode("ascii") + b"\n")

    def close(self, timeout_s: float) -> None:
        """Write what is queued, within the given time."""
        self._queue.put(None)
        self._thread.join(timeout_s)

    def _drain(self) -> None:
        try:
            while (data := self._queue.get()) is not None:
                while data:
                    data = data[os.write(self._descriptor, data) :]
        except OSError:
            return  # The reader is gone; the end of stdin ends the process.
