"""Sends tapped runs from a thread of its own, in order, in batches: the twin of `tap-sender.ts`.

The service never waits for it and never sees an error of it: what the queue has no room for is
given up and counted, and a server that is away, slow or failing is tried again later.
"""

from __future__ import annotations

import atexit
import json
import os
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import deque
from typing import Literal, TypedDict

from .value import JsonObject, to_text

#: As `core/tap.ts`.
MAX_RUNS = 200
MAX_RUN_BYTES = 3 * 1024 * 1024

_BATCH_BYTES = 1024 * 1024
#: The server takes no more in one request.
_MAX_GAPS = 1_000
_REQUEST_S = 5.0
_FIRST_RETRY_S = 0.25
_LAST_RETRY_S = 30.0

Reply = Literal["taken", "refused", "failed"]


class TapCounts(TypedDict):
    """What became of the runs that a tracer saw."""

    sent: int
    #: By cause.
    dropped: dict[str, int]
    queued: int
    #: Why the last request failed, while it does.
    problem: str | None


class TapSender:
    """The queue of one process; a forked one starts with an empty queue and its own numbers."""

    def __init__(
        self, url: str, api_key: str | None, max_runs: int, max_bytes: int, exit_s: float
    ) -> None:
        self._url = url
        self._api_key = api_key
        self._max_runs = max_runs
        self._max_bytes = max_bytes
        self._start_over()
        atexit.register(self.close, exit_s)

    def _start_over(self) -> None:
        self._pid = os.getpid()
        self._epoch = str(uuid.uuid4())
        self._changed = threading.Condition(threading.Lock())
        self._queue: deque[tuple[int, str]] = deque()
        self._queued_bytes = 0
        self._gaps: list[JsonObject] = []
        self._posting = False
        self._last_seq = 0
        self._thread: threading.Thread | None = None
        self._hurry = False
        self.sent = 0
        self.dropped: dict[str, int] = {}
        self.problem: str | None = None

    @property
    def queued(self) -> int:
        """Runs that wait for the server."""
        return len(self._queue)

    @property
    def counts(self) -> TapCounts:
        """A copy, as things stand."""
        return {
            "sent": self.sent,
            "dropped": dict(self.dropped),
            "queued": self.queued,
            "problem": self.problem,
        }

    def offer(self, run: JsonObject) -> None:
        """Take a run, or give it up; at once in either case."""
        if os.getpid() != self._pid:
            self._start_over()
        with self._changed:
            self._last_seq += 1
            seq = self._last_seq
            text = to_text({"seq": seq, **run})
            if len(text) > MAX_RUN_BYTES:
                self._drop(seq, seq, "oversize")
            elif (
                len(self._queue) >= self._max_runs
                or self._queued_bytes + len(text) > self._max_bytes
            ):
                self._drop(seq, seq, "queue_full")
            else:
                self._queue.append((seq, text))
                self._queued_bytes += len(text)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._send_all, daemon=True, name="twintrack-tap"
                )
                self._thread.start()
            self._changed.notify_all()

    def close(self, limit_s: float) -> None:
        """Send what is queued, within the limit."""
        if os.getpid() != self._pid:
            return
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            self._changed.wait_for(self._all_told, limit_s)
            self._hurry = False

    def _all_told(self) -> bool:
        return not self._queue and not self._gaps and not self._posting

    def _drop(self, from_seq: int, to_seq: int, cause: str) -> None:
        self.dropped[cause] = self.dropped.get(cause, 0) + to_seq - from_seq + 1
        self._gaps = _joined([*self._gaps, _gap(from_seq, to_seq, cause)])

    def _send_all(self) -> None:
        wait_s = _FIRST_RETRY_S
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._gaps)
                batch, gaps = self._next_batch(), self._gaps[:_MAX_GAPS]
                # What is on its way must not grow: the rest of it would never be told.
                del self._gaps[:_MAX_GAPS]
                self._posting = True
            reply, problem = self._post(batch, gaps)
            with self._changed:
                self._posting = False
                self.problem = None if reply == "taken" else problem
                # Nothing of a refused batch was taken, and gaps are seldom what is wrong with it.
                if reply == "failed" or (reply == "refused" and batch):
                    self._gaps = _joined([*gaps, *self._gaps])
                if reply == "failed":
                    self._rest(wait_s)
                    wait_s = min(wait_s * 2, _LAST_RETRY_S)
                    continue
                wait_s = _FIRST_RETRY_S
                self._forget(batch, refused=reply == "refused")
                self._changed.notify_all()

    def _next_batch(self) -> list[tuple[int, str]]:
        batch: list[tuple[int, str]] = []
        size = 0
        for seq, text in self._queue:
            size += len(text)
            if len(batch) >= MAX_RUNS or (batch and size > _BATCH_BYTES):
                break
            batch.append((seq, text))
        return batch

    def _forget(self, batch: list[tuple[int, str]], *, refused: bool) -> None:
        for _, text in batch:
            self._queue.popleft()
            self._queued_bytes -= len(text)
        if not refused:
            self.sent += len(batch)
        elif batch:
            self._drop(batch[0][0], batch[-1][0], "refused")

    def _rest(self, wait_s: float) -> None:
        """Wait, but not at the end of the process: a server that was away may be back."""
        until = time.monotonic() + (_FIRST_RETRY_S if self._hurry else wait_s)
        while (left := until - time.monotonic()) > 0:
            self._changed.wait(left)
            if self._hurry:
                until = min(until, time.monotonic() + _FIRST_RETRY_S)

    def _post(self, batch: list[tuple[int, str]], gaps: list[JsonObject]) -> tuple[Reply, str]:
        runs = ",".join(text for _, text in batch)
        body = f'{{"epoch":"{self._epoch}","runs":[{runs}],"gaps":{json.dumps(gaps)}}}'
        headers = {"content-type": "application/json"}
        if self._api_key is not None:
            headers["authorization"] = f"Bearer {self._api_key}"
        request = urllib.request.Request(self._url, body.encode("ascii"), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=_REQUEST_S) as response:
                response.read()
            return "taken", ""
        except urllib.error.HTTPError as error:
            said = f"{self._url} answered {error.code}: {error.read(300).decode(errors='replace')}"
            # What the server finds wrong with the runs stays wrong; anything else can be put right.
            return ("refused" if error.code in (400, 413, 422) else "failed"), said
        except Exception as error:
            return "failed", f"{self._url} does not answer: {error}"


def _gap(from_seq: int, to_seq: int, cause: str) -> JsonObject:
    return {"fromSeq": from_seq, "toSeq": to_seq, "cause": cause}


def _joined(gaps: list[JsonObject]) -> list[JsonObject]:
    """The same gaps; those that touch and have one cause are one."""
    result: list[JsonObject] = []
    for gap in gaps:
        last = result[-1] if result else None
        if last and last["cause"] == gap["cause"] and last["toSeq"] == gap["fromSeq"] - 1:
            last["toSeq"] = gap["toSeq"]
        else:
            result.append(dict(gap))
    return result
