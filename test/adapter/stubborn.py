"""Tools that misbehave in the ways real ones do; driven by python.test.ts."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Annotated

from langchain_core.tools import InjectedToolArg, tool

print("a banner at import time")
os.system("echo a banner from a child process")


@tool
def echo(text: str) -> str:
    """Return the text."""
    return text


@tool
def pid() -> int:
    """Tell the process id."""
    return os.getpid()


@tool
def hang(started: str) -> str:
    """Make the file, then never return."""
    Path(started).write_text(str(os.getpid()))
    time.sleep(1_000)
    return "never"


@tool
async def hang_politely(started: str) -> str:
    """Never return, but stop when cancelled."""
    Path(started).write_text(str(os.getpid()))
    await asyncio.sleep(1_000)
    return "never"


@tool
def wait_for(path: str) -> str:
    """Return once the file is there."""
    while not os.path.exists(path):
        time.sleep(0.01)
    return "there"


@tool
async def hog(started: str) -> str:
    """Block the event loop."""
    Path(started).write_text(str(os.getpid()))
    time.sleep(1_000)
    return "never"


@tool
def spawn() -> int:
    """Start a process that would outlive us, and tell its id."""
    return subprocess.Popen(["sleep", "1000"]).pid


@tool
def crash(code: int) -> str:
    """End the process at once."""
    sys.stderr.write("something terrible happened\n")
    os._exit(code)


@tool
def chatter(megabytes: int) -> str:
    """Fill stderr."""
    for _ in range(megabytes):
        sys.stderr.write("x" * 1_000_000 + "\n")
    return "done"


@tool
def big(length: int) -> str:
    """Return a long text."""
    return "é" * length


@tool
def noisy(text: str) -> str:
    """Write to stdout in every way."""
    print('{"jsonrpc":"2.0","id":1,"result":{}}')
    os.system("echo from a child process")
    os.write(1, b"raw bytes\n")
    return text


@tool
def environment(name: str) -> str:
    """Tell an environment variable."""
    return os.environ.get(name, "(unset)")


@tool
def whose(user_id: Annotated[str, InjectedToolArg]) -> str:
    """Tell whom it is for."""
    return user_id


@tool
def count(upto: int):  # noqa: ANN201 - a generator without annotation, as users write it
    """Count."""
    yield from range(upto)


@tool
def deadlock(started: str) -> str:
    """Take one lock twice."""
    Path(started).write_text(str(os.getpid()))
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
    return "never"


@tool
def descriptors() -> list[str]:
    """Tell what each open file descriptor is."""
    return [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
            if os.path.exists(f"/proc/self/fd/{fd}")]  # fmt: skip


@tool
def leave_behind(value: int) -> int:
    """Tell what the call before this one left in the process."""
    before = LEFT.get("value", 0)
    LEFT["value"] = value
    return before


LEFT: dict[str, int] = {}

BINDING = {"user_id": "bound in Python"}

TOOLS = [
    echo, pid, hang, hang_politely, wait_for, hog, spawn, crash, chatter, big, noisy, environment,
    whose, count, deadlock, descriptors, leave_behind, {"type": "web_search"},
]  # fmt: skip


def hanging_chain(started: str) -> str:
    """A chain that writes, then hangs, unless it has no file to make."""
    echo.invoke({"text": "before"})
    return hang.invoke({"started": started}) if started else "ready"


def crashing_chain(code: int) -> str:
    """A chain that takes the process with it."""
    return crash.invoke({"code": code})
