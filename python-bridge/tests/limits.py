"""Tools that say much, or wait."""

import gc
import sys
import threading
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool

_GO = threading.Event()


@tool
def much(megabytes: int) -> str:
    """Say a lot."""
    return "x" * (megabytes * 1024 * 1024)


@tool
def chatter(upto: int) -> Any:
    """Report a lot of progress."""
    yield from ("x" * 1000 for _ in range(upto))


@tool
def wait() -> str:
    """Wait for `go`."""
    sys.stderr.write("waiting\n")
    _GO.wait()
    return "went"


@tool
async def sleep_for_ever() -> str:
    """Wait where it can be cancelled."""
    import asyncio

    await asyncio.Event().wait()
    return "never"


@tool
def go() -> str:
    """Let all that wait go on."""
    _GO.set()
    return "go"


@tool
def resident_megabytes() -> int:
    """How much memory this process has."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) // 1024


@tool
def collects_after() -> list[int]:
    """How many new objects make Python look for garbage."""
    return list(gc.get_threshold())


@tool
def trace(config: RunnableConfig) -> Any:
    """The trace of the caller."""
    return config.get("metadata", {})


ALL = [much, chatter, wait, sleep_for_ever, go, resident_megabytes, collects_after, trace]
