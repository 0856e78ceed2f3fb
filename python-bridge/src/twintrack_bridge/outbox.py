"""What goes out: frames written in order, never by a thread that must not wait.

A small frame is written by whoever has it, when the other side has room; everything else by a
thread of its own. A client that does not read must not let memory grow: while more than
`ROOM_BYTES` wait, no new frame is read and sync tools wait with their answers.
"""

from __future__ import annotations

import json
import os
import select
import stat
import threading
from collections import deque

from .errors import INTERNAL_ERROR, RequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .value import JsonObject

#: Bytes that may wait for the reader before everybody else waits too.
ROOM_BYTES = 4 * 1024 * 1024

#: A pipe that is ready takes this much at once (POSIX); a socket far more.
_AT_ONCE_PIPE = 4096
_AT_ONCE_SOCKET = 32 * 1024

_ENCODER = json.JSONEncoder(
    ensure_ascii=True, allow_nan=False, check_circular=False, separators=(",", ":")
)


def encode(message: JsonObject) -> bytes:
    """One frame. Its data comes from `to_json`, so that it always has a JSON text."""
    return _ENCODER.encode(message).encode("ascii") + b"\n"


def encode_within(limit: int, message: JsonObject) -> bytes:
    """One frame of at most `limit` bytes.

    Raises:
        RequestError: it is longer.
    """
    frame = encode(message)
    if len(frame) > limit:
        raise RequestError(
            INTERNAL_ERROR,
            f"the result has {len(frame)} bytes and may have {limit}: return less, or start the "
            "bridge with a larger --max-result-bytes",
            {"code": "VALUE_TOO_LARGE"},
        )
    return frame


class Outbox:
    """The frames that leave on one descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        is_socket = stat.S_ISSOCK(os.fstat(descriptor).st_mode)
        self._at_once = _AT_ONCE_SOCKET if is_socket else _AT_ONCE_PIPE
        self._poll: Any = None  # Windows has none: then the writer's thread writes everything.
        if hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(descriptor, select.POLLOUT)
        self._changed = threading.Condition(threading.Lock())
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._writer: threading.Thread | None = None
        self._gone = False
        self._gatherer: int | None = None
        self._gathered: list[bytes] = []

    @property
    def waiting_bytes(self) -> int:
        """Not yet taken by the other side."""
        return self._waiting_bytes

    def gather(self) -> None:
        """Keep what this thread sends until `release`: one write for many small answers."""
        self._gatherer = threading.get_ident()

    def release(self) -> None:
        """Write what was gathered."""
        self._gatherer = None
        if self._gathered:
            frames, self._gathered = self._gathered, []
            self._put(b"".join(frames))

    def send(self, frame: bytes) -> None:
        """Write the frame, now or as soon as the other side has room."""
        if self._gatherer == threading.get_ident():
            self._gathered.append(frame)
        else:
            self._put(frame)

    def _put(self, frame: bytes) -> None:
        with self._changed:
            if self._gone or (not self._waiting and self._written_at_once(frame)):
                return
            self._waiting.append(frame)
            self._waiting_bytes += len(frame)
            if self._writer is None:
                self._writer = threading.Thread(
                    target=self._drain, daemon=True, name="twintrack-writer"
                )
                self._writer.start()
            self._changed.notify_all()

    def wait_for_room(self) -> None:
        """Return when the other side reads, or is gone. Not for the event loop."""
        if self._waiting_bytes > ROOM_BYTES:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting_bytes <= ROOM_BYTES)

    @property
    def full(self) -> bool:
        """True while the other side does not read."""
        return self._waiting_bytes > ROOM_BYTES

    def flush(self, timeout_s: float) -> None:
        """Write what waits, within the given time."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, timeout_s)

    def _written_at_once(self, frame: bytes) -> bool:
        if len(frame) > self._at_once or self._poll is None:
            return False
        if self._poll.poll(0) != [(self._descriptor, select.POLLOUT)]:
            return False
        try:
            self._write(frame)
        except OSError:
            self._lost()
        return True

    def _write(self, frame: bytes) -> None:
        while frame:
            frame = frame[os.write(self._descriptor, frame) :]

    def _drain(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._gone)
                if self._gone:
                    return
                frame = self._waiting[0]  # It stays first, so that nobody overtakes it.
            try:
                self._write(frame)
            except OSError:
                with self._changed:
                    self._lost()
                return
            with self._changed:
                self._waiting.popleft()
                self._waiting_bytes -= len(frame)
                self._changed.notify_all()

    def _lost(self) -> None:
        """The reader is gone; the end of stdin ends the process."""
        self._gone = True
        self._waiting.clear()
        self._waiting_bytes = 0
        self._changed.notify_all()
