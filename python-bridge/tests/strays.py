"""Chains that reach the world past their tools, and one whose tool does."""

import asyncio
import os
import socket
import sqlite3
import subprocess
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool

#: Not in the temporary folder, which is open to all.
OUTSIDE = Path(__file__).parent / "written-by-a-shadow"


def _port() -> int:
    return int(os.environ.get("STRAY_PORT", "1"))


def _socket() -> None:
    socket.create_connection(("127.0.0.1", _port()), timeout=2).close()


def _http() -> None:
    urllib.request.urlopen(f"http://127.0.0.1:{_port()}/", timeout=2).close()


def _datagram() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.1", _port()))


def _in_a_thread() -> None:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            _socket()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


ACTS: dict[str, Callable[[], Any]] = {
    "socket": _socket,
    "http": _http,
    "datagram": _datagram,
    "thread": _in_a_thread,
    "file": lambda: OUTSIDE.write_text("x"),
    "append": lambda: OUTSIDE.open("a").close(),
    "remove": lambda: os.remove(__file__),
    "folder": lambda: OUTSIDE.mkdir(),
    "database": lambda: sqlite3.connect(OUTSIDE).close(),
    "command": lambda: subprocess.run(["true"], check=True),
    "shell": lambda: os.system("true"),
    "fork": lambda: os.fork() or os._exit(0),
    "signal": lambda: os.kill(os.getppid(), 0),
}


def act(name: str) -> str:
    """Do it outside of every tool."""
    ACTS[name]()
    return "done"


async def act_async(name: str) -> str:
    """The same on the event loop."""
    await asyncio.open_connection("127.0.0.1", _port())
    return name


@tool
def visit(key: str) -> str:
    """Read something from far away."""
    _socket()
    return key


async def through_a_tool(key: str) -> str:
    """Reach the world where it is allowed."""
    return await visit.ainvoke({"key": key})


def shrugs(name: str) -> str:
    """Swallow what it is told."""
    try:
        ACTS[name]()
    except Exception:
        return "did not work"
    return "worked"


acting = RunnableLambda(act)


def by_environment(given: dict[str, str]) -> str:
    """Stray only where it runs a second time: the first run is to answer."""
    if os.environ.get("TWINTRACK_ROLE") == "shadow":
        ACTS[given["how"]]()
    return "done"
