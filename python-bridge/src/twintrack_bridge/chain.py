"""One run of a legacy chain: a runnable, a compiled graph, or a plain function.

What the chain does is an outcome, never an error of the request. The chain's own code is not
changed; its tools are observed, and in recorded mode answered (`recording.py`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from contextlib import nullcontext
from typing import Any, Literal

from . import memory_capture, model_capture
from .capture import CURRENT, RECORDED_RUNS, install
from .errors import INVALID_PARAMS, RequestError, serialize_error
from .ledger import AnswerBook
from .model_recording import ModelBook
from .pool import WORK
from .questions import AskedReads
from .recording import FromRecord, Live, Recording
from .run_config import RunConfig, run_config_of
from .stream import Hand, stream
from .surroundings import visit
from .value import JsonObject, JsonValue, to_json

METHOD = "twintrack/chain/invoke"

#: In a result: the answer is here, but threads or tasks of the chain may go on.
RUNNING_META_KEY = "twintrack/running"

#: In a result: what the run left changed in this process; no other run may find it.
LEFT_META_KEY = "twintrack/left"


async def invoke(
    chain: Any, params: JsonObject, hand: Hand | None = None, asked: AskedReads | None = None
) -> JsonObject:
    """Run the chain on `params.input`; the result is a `ChainRun` of `adapter/chain.ts`.

    With `hand` the chain is streamed, and `hand` takes each chunk. With `asked` the client answers
    reads that are not in the record, where `params.tools.reads` offers that.

    Raises:
        RequestError: the parameters are malformed, or ask a shadow process for live tools, or a
            read or its answer could not be carried.
    """
    tools = _tools_of(params.get("tools"), asked)
    run_config = run_config_of(params.get("config"))
    effects = params.get("effects", {})
    if "input" not in params or not isinstance(effects, dict):
        raise RequestError(INVALID_PARAMS, "input and effects are required")
    install()
    model_capture.install()
    memory_capture.install()
    recording = Recording(tools, effects)
    token = CURRENT.set(recording)
    try:
        with visit() as here, RECORDED_RUNS if isinstance(tools, FromRecord) else nullcontext():
            outcome, lossy, running = await _within(
                params.get("timeoutMs"), _outcome(chain, params["input"], run_config, hand)
            )
    finally:
        CURRENT.reset(token)
        recording.close()
    if asked is not None and asked.problem is not None:  # Also when the chain swallowed it.
        raise asked.problem
    run: JsonObject = {
        "outcome": outcome,
        "lossy": lossy,
        "calls": recording.snapshot(),
        "modelCalls": recording.models.snapshot(),
        "durationMs": recording.elapsed_ms(),
    }
    if recording.memory.reads:
        run["memory"] = list(recording.memory.reads)
    meta: JsonObject = {RUNNING_META_KEY: True} if running else {}
    if here.left is not None:
        meta[LEFT_META_KEY] = here.left
    return {**run, "_meta": meta} if meta else run


def _tools_of(given: Any, asked: AskedReads | None) -> Live | FromRecord:
    mode = given.get("mode") if isinstance(given, dict) else None
    if mode == "live":
        if os.environ.get("TWINTRACK_ROLE") == "shadow":
            raise RequestError(
                INVALID_PARAMS,
                "this process has the role shadow: it never runs a chain with live tools",
                {"code": "EFFECT_REFUSED"},
            )
        return Live()
    recorded = given.get("recording") if mode == "recorded" else None
    if not isinstance(recorded, list):
        raise RequestError(
            INVALID_PARAMS, 'tools is {"mode":"live"} or {"mode":"recorded","recording":[…]}'
        )
    try:
        book, models = (
            AnswerBook(recorded, given.get("free")),
            ModelBook(given.get("modelRecording") or []),
        )
    except (KeyError, TypeError, OverflowError) as error:
        raise RequestError(INVALID_PARAMS, f"the recording is malformed: {error!r}") from error
    reads = _reads_of(given.get("reads"), asked)
    unrecorded = "recorded" if given.get("models") == "recorded" else "live"
    return FromRecord(book, reads, models, unrecorded, given.get("memory") or ())


def _reads_of(given: Any, asked: AskedReads | None) -> Literal["recorded", "live"] | AskedReads:
    if given == "asked" and asked is not None:
        return asked
    return "live" if given == "live" else "recorded"


async def _within(
    limit_ms: Any, running: Coroutine[Any, Any, tuple[JsonObject, bool]]
) -> tuple[JsonObject, bool, bool]:
    """The outcome, whether it is lossy, and whether the chain's work may still be going on."""
    task = asyncio.ensure_future(running)
    work = WORK.get()
    if work is not None:
        work.begin()
        task.add_done_callback(work.end)
    limit_s = limit_ms / 1000 if isinstance(limit_ms, (int, float)) else None
    try:
        await asyncio.wait({task}, timeout=limit_s)
    finally:
        if not task.done():
            task.cancel()
    if task.done():
        return (*task.result(), False)
    return {"status": "timed_out", "afterMs": limit_ms}, False, True


async def _outcome(
    chain: Any, value: JsonValue, run_config: RunConfig, hand: Hand | None
) -> tuple[JsonObject, bool]:
    try:
        returned = await (
            stream(chain, value, run_config, hand) if hand else _run(chain, value, run_config)
        )
    except (asyncio.CancelledError, RequestError):
        raise
    except BaseException as error:  # SystemExit in a chain is the chain's failure, not our end.
        return {"status": "threw", "error": serialize_error(error)}, False
    converted = to_json(returned)
    return {"status": "returned", "value": converted.value}, converted.lossy


async def _run(chain: Any, value: JsonValue, run_config: RunConfig) -> Any:
    if callable(getattr(chain, "ainvoke", None)):
        return await chain.ainvoke(value, **run_config.for_runnable(chain))
    # A generator has an answer only when its chunks are joined.
    return await stream(chain, value, run_config, _unheard)


async def _unheard(_: Any) -> None:
    """Nobody waits for chunks."""
