"""The process: divert descriptors, import the user's code, serve until stdin ends."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from .contract import bridge
from .errors import TargetInvalid
from .loading import load_object, load_tools
from .pool import Pool
from .server import Server
from .wire import FrameWriter, divert_descriptors, read_frames

#: After stdin has ended: for running tasks, for queued answers, and in all, whatever happens.
_CANCEL_S = 0.5
_FLUSH_S = 0.5
_EXIT_S = 1.5

_EXIT_TARGET_INVALID = 2
_EXIT_LANGCHAIN_MISSING = 3

#: Deep but legal values need more frames than Python allows by default.
_RECURSION_LIMIT = 10_000


def main() -> NoReturn:
    """Run the bridge; never returns."""
    options = _options(sys.argv[1:])
    private_in, private_out = divert_descriptors()
    sys.setrecursionlimit(_RECURSION_LIMIT)
    try:
        import_module("langchain_core.tools")
    except ImportError as error:
        _give_up(_EXIT_LANGCHAIN_MISSING, f"langchain-core is not in {sys.executable}: {error}")
    try:
        tools, unsupported = bridge(load_tools(options.tools))
        chain = load_object(options.chain) if options.chain else None
    except TargetInvalid as error:
        _give_up(_EXIT_TARGET_INVALID, str(error))
    writer = FrameWriter(private_out)
    server = Server(tools, unsupported, chain, writer)
    asyncio.set_event_loop(loop := asyncio.new_event_loop())
    loop.set_default_executor(Pool(options.threads, thread_name_prefix="twintrack-tool"))
    threading.Thread(
        target=_read, args=(loop, server, private_in), daemon=True, name="twintrack-reader"
    ).start()
    _serve(loop)
    _end(loop, server, writer)


def _options(arguments: Sequence[str]) -> Any:
    parser = argparse.ArgumentParser(
        prog="python -m twintrack_bridge",
        description="Serve LangChain tools, and optionally a chain, over MCP on stdio.",
    )
    parser.add_argument("tools", nargs="*", metavar="package.module:attribute")
    parser.add_argument("--chain", metavar="package.module:attribute")
    parser.add_argument("--threads", type=int, default=32, help="for sync tools (default 32)")
    options = parser.parse_args(arguments)
    if not options.tools and not options.chain:
        parser.error("name at least one package.module:attribute, or --chain")
    if options.threads < 1:
        parser.error("--threads must be at least 1")
    return options


def _give_up(exit_code: int, message: str) -> NoReturn:
    sys.stderr.write(f"twintrack_bridge: {message}\n")
    sys.stderr.flush()
    os._exit(exit_code)  # Threads that the user's module started must not keep the process.


def _read(loop: asyncio.AbstractEventLoop, server: Server, descriptor: int) -> None:
    try:
        read_frames(descriptor, lambda frame: _hand_over(loop, server, frame))
    except OSError:
        pass  # The other side is gone; the same as the end of the stream.
    finally:
        # Also when the loop is blocked by a tool that never gives it back.
        threading.Timer(_EXIT_S, os._exit, (0,)).start()
        loop.call_soon_threadsafe(loop.stop)


def _hand_over(loop: asyncio.AbstractEventLoop, server: Server, frame: Any) -> None:
    loop.call_soon_threadsafe(server.receive, frame)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    while True:
        try:
            loop.run_forever()
            return
        except SystemExit:
            continue  # A task that a tool started called sys.exit(); the others go on.
        except KeyboardInterrupt:
            return


def _end(loop: asyncio.AbstractEventLoop, server: Server, writer: FrameWriter) -> NoReturn:
    try:
        loop.run_until_complete(asyncio.wait_for(server.cancel_all(), _CANCEL_S))
    except BaseException as error:
        sys.stderr.write(f"twintrack_bridge: at exit: {error!r}\n")
    writer.close(_FLUSH_S)
    if os.name == "posix" and os.getpgrp() == os.getpid():
        # Child processes of tools would otherwise outlive us.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
    sys.stdout.flush()
    os._exit(0)  # Not sys.exit(): it would wait for threads of tools that hang.


if __name__ == "__main__":
    main()
