"""For a service that cannot be moved: a callback handler that tells Twintrack what it did.

`chain.invoke(given, config={"callbacks": [tracer]})`. The outermost chain that the tracer sees is a
trigger with its answer; the tools and models inside are its calls. Nothing here raises into the
service, waits for the network, or keeps more than its bounds.
"""

from __future__ import annotations

import functools
import threading
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from langchain_core.callbacks import BaseCallbackHandler

from . import capture
from .errors import serialize_error
from .model_request import model_request, model_response
from .stream import finished
from .tap_sender import TapCounts, TapSender
from .tool_record import recorded_return
from .tool_witness import WITNESS
from .traced_run import TracedRun
from .value import JsonObject, to_json

#: Runs that never end, for example of a stream that nobody read to its end, are forgotten.
_MAX_OPEN_RUNS = 10_000

M = TypeVar("M", bound=Callable[..., Any])


def _quietly(method: M) -> M:
    """Whatever goes wrong in here is not the service's concern."""

    @functools.wraps(method)
    def quiet(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except Exception:
            return None  # A value that cannot be told: its run is told without it, or not at all.

    return cast("M", quiet)


@dataclass(frozen=True)
class _Place:
    """Where a run of LangChain belongs."""

    root: TracedRun
    #: The outermost tool around it.
    tool: str | None = None


class TwintrackTracer(BaseCallbackHandler):
    """Watches chains of one flow; give it among the callbacks of each call, or of the chain.

    Args:
        flow: As Twintrack's configuration names it; its `legacy` is `"tap"`.
        url: Where `twintrack serve` is, for example `http://127.0.0.1:4100`.
        api_key: The server's key, when it has one.
        run_name: Only outermost chains of this run name are triggers; default all.
        given: The flow's input in what the chain was called with; default all of it.
        max_queued_runs: Runs that wait for the server; more are given up.
        max_queued_bytes: Their size in all.
        exit_s: How long the end of the process waits for what is queued.
    """

    raise_error = False
    run_inline = True  # In the order things happen, not from a pool of threads.

    def __init__(
        self,
        flow: str,
        url: str,
        *,
        api_key: str | None = None,
        run_name: str | None = None,
        given: Callable[[Any], Any] | None = None,
        max_queued_runs: int = 1_000,
        max_queued_bytes: int = 16 * 1024 * 1024,
        exit_s: float = 2.0,
    ) -> None:
        super().__init__()
        tap = f"{url.rstrip('/')}/tap/{urllib.parse.quote(flow, safe='')}"
        self.sender = TapSender(tap, api_key, max_queued_runs, max_queued_bytes, exit_s)
        self._run_name = run_name
        self._given = given
        self._exit_s = exit_s
        self._lock = threading.Lock()
        self._places: dict[Any, _Place] = {}
        self._open: dict[Any, TracedRun] = {}
        capture.install()
        capture.watch(WITNESS)

    @property
    def counts(self) -> TapCounts:
        """Runs that were sent, wait, or were given up, and why the last request failed."""
        return self.sender.counts

    def close(self, limit_s: float | None = None) -> None:
        """Send what is queued, within the limit."""
        self.sender.close(self._exit_s if limit_s is None else limit_s)

    @_quietly
    def on_chain_start(
        self, serialized: Any, inputs: Any, *, run_id: Any, parent_run_id: Any = None, **more: Any
    ) -> None:
        """The trigger, or a chain inside of one."""
        place = self._place_of(parent_run_id)
        if place is not None:
            self._put(run_id, place)
        elif self._run_name in (None, more.get("name")):
            shown = inputs if self._given is None else self._given(inputs)
            run = TracedRun(str(run_id), to_json(shown).value)
            with self._lock:
                self._open[run_id] = run
                oldest = next(iter(self._open)) if len(self._open) > _MAX_OPEN_RUNS else None
            self._put(run_id, _Place(run))
            if oldest is not None:
                self._forget(oldest)

    @_quietly
    def on_chain_end(self, outputs: Any, *, run_id: Any, **_: Any) -> None:
        """The answer."""
        converted = to_json(finished(outputs))
        outcome = {"status": "returned", "value": converted.value}
        self._finish(run_id, outcome, lossy=converted.lossy)

    @_quietly
    def on_chain_error(self, error: BaseException, *, run_id: Any, **_: Any) -> None:
        """The failure that is the answer."""
        self._finish(run_id, _threw(error), lossy=False)

    @_quietly
    def on_tool_start(
        self,
        serialized: Any,
        input_str: str,
        *,
        run_id: Any,
        parent_run_id: Any = None,
        inputs: Any = None,
        **_: Any,
    ) -> None:
        """A tool call, told again with its real arguments by `tool_called`."""
        place = self._place_of(parent_run_id)
        if place is None:
            return
        name = str((serialized or {}).get("name", "unknown"))
        self._put(run_id, replace(place, tool=place.tool or name))
        if place.tool is None:
            args = to_json(input_str if inputs is None else inputs).value
            place.root.begin_tool(run_id, name, args)

    @_quietly
    def tool_called(self, run_id: Any, args: Any) -> None:
        """The parsed arguments."""
        place = self._places.get(run_id)
        if place is not None:
            place.root.tool_args(run_id, args)

    @_quietly
    def tool_returned(self, run_id: Any, value: Any, *, has_artifact: bool) -> None:
        """The raw result."""
        place = self._places.get(run_id)
        if place is not None:
            outcome, marks = recorded_return(value, has_artifact=has_artifact)
            place.root.end_tool(run_id, outcome, **marks)

    @_quietly
    def on_tool_end(self, output: Any, *, run_id: Any, **_: Any) -> None:
        """What the model would see; only where the raw result is not known."""
        place = self._places.get(run_id)
        if place is not None:
            value = to_json(getattr(output, "content", output)).value
            place.root.end_tool(run_id, {"status": "returned", "value": value})

    @_quietly
    def on_tool_error(self, error: BaseException, *, run_id: Any, **_: Any) -> None:
        """A tool that raised."""
        place = self._places.get(run_id)
        if place is not None:
            place.root.end_tool(run_id, _threw(error))

    @_quietly
    def on_chat_model_start(
        self,
        serialized: Any,
        messages: Any,
        *,
        run_id: Any,
        parent_run_id: Any = None,
        metadata: Any = None,
        **more: Any,
    ) -> None:
        """A model call."""
        self._begin_model(serialized, messages[0], run_id, parent_run_id, metadata, more)

    @_quietly
    def on_llm_start(
        self,
        serialized: Any,
        prompts: Any,
        *,
        run_id: Any,
        parent_run_id: Any = None,
        metadata: Any = None,
        **more: Any,
    ) -> None:
        """A call of an older model."""
        self._begin_model(serialized, prompts, run_id, parent_run_id, metadata, more)

    @_quietly
    def on_llm_end(self, response: Any, *, run_id: Any, **_: Any) -> None:
        """The model's answer."""
        place = self._places.get(run_id)
        if place is not None:
            generation = response.generations[0][0]
            answer = getattr(generation, "message", None) or str(generation.text)
            told = model_response(answer, getattr(response, "llm_output", None))
            place.root.end_model(run_id, {"status": "returned", "value": told})

    @_quietly
    def on_llm_error(self, error: BaseException, *, run_id: Any, **_: Any) -> None:
        """A model that failed."""
        place = self._places.get(run_id)
        if place is not None:
            place.root.end_model(run_id, _threw(error))

    def _begin_model(
        self, serialized: Any, given: Any, run_id: Any, parent: Any, metadata: Any, more: Any
    ) -> None:
        place = self._place_of(parent)
        if place is None:
            return
        self._put(run_id, place)
        name = (metadata or {}).get("ls_model_name") or (serialized or {}).get("name", "unknown")
        params = more.get("invocation_params") or {}
        request = model_request(str(name), list(given), params, more.get("options") or {})
        place.root.begin_model(run_id, request, place.tool)

    def _place_of(self, parent_run_id: Any) -> _Place | None:
        return None if parent_run_id is None else self._places.get(parent_run_id)

    def _put(self, run_id: Any, place: _Place) -> None:
        self._places[run_id] = place
        place.root.members.add(run_id)

    def _finish(self, run_id: Any, outcome: JsonObject, *, lossy: bool) -> None:
        run = self._forget(run_id)
        if run is not None:
            self.sender.offer(run.told(outcome, lossy=lossy))

    def _forget(self, run_id: Any) -> TracedRun | None:
        with self._lock:
            run = self._open.pop(run_id, None)
            for member in run.members if run else ():
                self._places.pop(member, None)
        return run


def _threw(error: BaseException) -> JsonObject:
    return {"status": "threw", "error": serialize_error(error)}
