"""Chains that leave something behind in their process besides memory, and one that looks."""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def _variable() -> None:
    os.environ["TWINTRACK_LEFT"] = "something"


def _no_variable() -> None:
    del os.environ["TWINTRACK_GIVEN"]


def _past_the_object() -> None:
    os.putenv("TWINTRACK_LEFT", "something")


def _zone() -> None:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before


def _tidied() -> None:
    os.environ["TWINTRACK_LEFT"] = "something"
    del os.environ["TWINTRACK_LEFT"]


ACTS: dict[str, Callable[[], Any]] = {
    "variable": _variable,
    "no variable": _no_variable,
    "past the object": _past_the_object,
    "folder": lambda: os.chdir(tempfile.gettempdir()),
    "umask": lambda: os.umask(0o007),
    "zone": _zone,
    "tidied": _tidied,
}


async def leaves(what: str) -> dict[str, Any]:
    """Do it, or nothing; in which process, and what was found before and after."""
    before = _found()
    if what in ACTS:
        ACTS[what]()
    return {"pid": os.getpid(), "before": before, "after": _found()}


def _found() -> Any:
    lines = Path("/proc/self/status").read_text().splitlines()
    umask = next(line for line in lines if line.startswith("Umask"))
    held = [os.environ.get(name) for name in ("TWINTRACK_LEFT", "TWINTRACK_GIVEN", "TZ")]
    return [*held, os.getcwd(), umask, time.tzname]


_left, _seen = asyncio.Event(), asyncio.Event()


def _mark() -> Path:
    return Path(os.environ["TWINTRACK_MARK"])


async def beside(what: str) -> str:
    """The first time `leaves` goes on until `finds` has seen what it left, and marked it."""
    have_met = _mark().exists()
    if what == "leaves":
        _variable()
        _left.set()
        if not have_met:
            await _seen.wait()
        return "done"
    if not have_met:
        await _left.wait()
        _mark().write_text(os.environ["TWINTRACK_LEFT"])
        _seen.set()
    return os.environ.get("TWINTRACK_LEFT", "nothing")
