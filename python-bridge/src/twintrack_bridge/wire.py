"""Newline-delimited JSON-RPC on private descriptors.

Frames end at byte 0x0A and nowhere else. Descriptors 0 and 1 are taken away before user code is
imported, so that `print`, a C library or a child process can neither write into a frame nor read
one: 1 becomes stderr, 0 becomes /dev/null.
"""

from __future__ import annotations

import json
import os
import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .value import JsonValue

#: Bytes. A longer frame is dropped and answered with an error.
MAX_FRAME_BYTES = 4 * 1024 * 1024

#: The deepest message that is read; values that go out are cut there too.
MAX_DEPTH = 512

_READ_BYTES = 1 << 16
_ID_IN_PREFIX = rb'"id"\s*:\s*(-?\d{1,18}|"(?:[^"\\]|\\.){0,128}")'
_PREFIX_BYTES = 256


class Frame:
    """The bytes of one line."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class Oversize:
    """A dropped line; `request_id` when its first bytes tell it."""

    __slots__ = ("request_id",)

    def __init__(self, request_id: JsonValue) -> None:
        self.request_id = request_id


def divert_descriptors() -> tuple[int, int]:
    """Move stdin and stdout to private descriptors, which child processes do not inherit."""
    private_in, private_out = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        # What a tool prints must be in the tail of stderr when the process dies.
        stream.reconfigure(  # pyright: ignore[reportAttributeAccessIssue]: both are files here
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
        if self._prefix is None and piece:
            self._parts.append(piece)
            self._size += len(piece)
            if self._size > self._limit:
                self._prefix = b"".join(self._parts)[:_PREFIX_BYTES]
                self._parts.clear()

    def _take(self) -> Frame | Oversize | None:
        prefix, parts = self._prefix, self._parts
        self._prefix, self._parts, self._size = None, [], 0
        if prefix is not None:
            return Oversize(id_in(prefix))
        line = b"".join(parts).strip(b" \t\r")
        return Frame(line) if line else None


def id_in(data: bytes) -> JsonValue:
    """The id of a request that could not be read, when its first bytes tell it."""
    found = re.search(_ID_IN_PREFIX, data[:_PREFIX_BYTES])
    return json.loads(found.group(1)) if found else None


class TooDeep(ValueError):
    """Valid JSON, but nested deeper than anything this package carries."""


def decode(frame: Frame) -> JsonValue:
    """The frame's JSON value.

    Raises:
        TooDeep: nested deeper than `MAX_DEPTH`.
        ValueError: not UTF-8, not JSON, or a number that is none: NaN, 1e999.
    """
    data = frame.data
    try:
        if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
            return _shallow(_DECODER.decode(data.decode("utf-8-sig")))
        return _DECODER.decode(data.decode("utf-8-sig"))
    except RecursionError as error:
        raise TooDeep("nested too deep") from error


def _shallow(value: JsonValue) -> JsonValue:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise TooDeep(f"nested deeper than {MAX_DEPTH} levels")
        held = [one for one in level if type(one) is dict or type(one) is list]
        level = [item for one in held for item in (one.values() if type(one) is dict else one)]
    return value


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (_INFINITY, -_INFINITY):  # It could not be written again.
        raise ValueError(f"{text} is larger than a number can be")
    return number


_INFINITY = float("inf")
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def read_frames(
    descriptor: int, limit: int, receive: Callable[[list[Frame | Oversize]], None]
) -> None:
    """Pass the frames to `receive` as they come, until the other side closes or is gone."""
    splitter = FrameSplitter(limit)
    while data := os.read(descriptor, _READ_BYTES):
        receive(list(splitter.feed(data)))
