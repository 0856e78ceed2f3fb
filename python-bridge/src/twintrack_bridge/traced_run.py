"""One trigger that a tracer watches, from its start to what is told of it."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any

from .value import JsonObject, JsonValue


class TracedRun:
    """Collects; the twin of `adapter/traced-run.ts`."""

    def __init__(self, trigger_id: str, given: JsonValue) -> None:
        self.members: set[Any] = set()
        self._trigger_id = trigger_id
        self._input = given
        self._received_at = datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")
        self._started = time.perf_counter()
        self._tools: dict[Any, JsonObject] = {}
        self._models: dict[Any, JsonObject] = {}

    def begin_tool(self, run_id: Any, tool: str, args: JsonValue) -> None:
        """A tool call starts."""
        self._tools[run_id] = {"tool": tool, "args": args, **self._timing()}

    def tool_args(self, run_id: Any, args: JsonValue) -> None:
        """What it was really called with."""
        if run_id in self._tools:
            self._tools[run_id]["args"] = args

    def end_tool(self, run_id: Any, outcome: JsonObject, **more: Any) -> None:
        """The first end counts."""
        entry = self._tools.get(run_id)
        if entry is not None and "outcome" not in entry:
            entry.update(more)
            self._end(entry, outcome)

    def begin_model(self, run_id: Any, request: JsonObject, inside_tool: str | None) -> None:
        """A model call starts."""
        inside = {"insideTool": inside_tool} if inside_tool else {}
        self._models[run_id] = {"request": request, **inside, **self._timing()}

    def end_model(self, run_id: Any, outcome: JsonObject) -> None:
        """A model call ends."""
        if run_id in self._models:
            self._end(self._models[run_id], outcome)

    def told(self, outcome: JsonObject, *, lossy: bool) -> JsonObject:
        """The run; a call that has not ended with it is `timed_out`."""
        return {
            "triggerId": self._trigger_id,
            "receivedAt": self._received_at,
            "input": self._input,
            "outcome": outcome,
            **({"lossy": True} if lossy else {}),
            "calls": [self._ended(entry) for entry in self._tools.values()],
            "modelCalls": [self._ended(entry) for entry in self._models.values()],
            "durationMs": self._elapsed_ms(),
        }

    def _elapsed_ms(self) -> float:
        return round((time.perf_counter() - self._started) * 1000, 3)

    def _timing(self) -> JsonObject:
        return {"startedAtMs": self._elapsed_ms(), "durationMs": 0}

    def _end(self, entry: JsonObject, outcome: JsonObject) -> None:
        took_ms = max(0.0, round(self._elapsed_ms() - entry["startedAtMs"], 3))
        entry.update(outcome=outcome, durationMs=took_ms)

    def _ended(self, entry: JsonObject) -> JsonObject:
        if "outcome" in entry:
            return entry
        waited = max(0.0, round(self._elapsed_ms() - entry["startedAtMs"], 3))
        return {**entry, "outcome": {"status": "timed_out", "afterMs": waited}}
