"""The process: divert descriptors, import the user's code, serve until stdin ends.

Nothing is imported before it is needed: what a user waits for at the start is their own code.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import threading

from .engine import Engine
from .errors import TargetInvalid
from .offer import Offer
from .options import Options
from .outbox import Outbox
from .server import Server
from .target import forget, load_object
from .wire import divert_descriptors, read_frames

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

#: After stdin has ended: for running tasks, for queued answers, and in all, whatever happens.
_CANCEL_S = 0.5
_FLUSH_S = 0.5
_EXIT_S = 1.5

_EXIT_TARGET_INVALID = 2
_EXIT_LANGCHAIN_MISSING = 3

#: Deep but legal values need more frames than Python allows by default.
_RECURSION_LIMIT = 10_000

#: More objects than any import makes.
_NO_COLLECTION = 10_000_000


def main() -> NoReturn:
    """Run the bridge; never returns."""
    options = Options(sys.argv[1:])
    private_in, private_out = divert_descriptors()
    sys.setrecursionlimit(_RECURSION_LIMIT)
    _guard_egress()
    try:
        offer = _load_at_start(options)
    except TargetInvalid as error:
        _give_up(_EXIT_TARGET_INVALID, str(error))
    _watch_surroundings()
    engine = Engine(options.threads)
    outbox = Outbox(private_out)
    server = Server(offer, engine, outbox, options.max_result_bytes)
    _listen_for_reload(server, options)
    threading.Thread(
        target=_read,
        args=(engine, server, private_in, options.max_frame_bytes),
        daemon=True,
        name="twintrack-reader",
    ).start()
    engine.run()
    _end(engine, server, outbox)


def _guard_egress() -> None:
    """Before any code of the user: what it opens while it loads would stay open."""
    if os.environ.get("TWINTRACK_ROLE") != "shadow":
        return
    from . import egress
    from .capture import may_reach, note_attempt

    egress.install(may_reach, note_attempt)


def _watch_surroundings() -> None:
    """After the code of the user was loaded, which may have set them."""
    if os.environ.get("TWINTRACK_ROLE") == "shadow":
        from .surroundings import watch

        watch()


def _load_at_start(options: Options) -> Offer:
    """What is imported stays: to look for garbage in it is a tenth of the start."""
    usual = gc.get_threshold()
    gc.set_threshold(_NO_COLLECTION, *usual[1:])
    try:
        return _load(options)
    finally:
        if gc.get_threshold()[0] == _NO_COLLECTION:  # Or the user's code has set its own.
            gc.set_threshold(*usual)


def _load(options: Options) -> Offer:
    """Import what the options name.

    Raises:
        TargetInvalid: something cannot be imported or found.
    """
    chain = load_object(options.chain) if options.chain else None
    if not options.tools:
        return Offer(chain=chain)
    try:
        importlib.import_module("langchain_core.tools")
    except ImportError as error:
        _give_up(_EXIT_LANGCHAIN_MISSING, f"langchain-core is not in {sys.executable}: {error}")
    from .binding import Binding
    from .contract import bridge
    from .loading import load_tools

    binding = Binding(load_object(options.inject) if options.inject else None)
    tools, unsupported = bridge(load_tools(options.tools), binding.binds)
    return Offer(chain=chain, tools=tools, unsupported=unsupported, binding=binding)


def _listen_for_reload(server: Server, options: Options) -> None:
    import signal

    if hasattr(signal, "SIGHUP") and options.tools:
        # Not in the handler itself: importing takes locks that the interrupted code may hold.
        signal.signal(
            signal.SIGHUP,
            lambda *_: threading.Thread(target=_reload, args=(server, options)).start(),
        )


def _reload(server: Server, options: Options) -> None:
    try:
        forget([*options.tools, *filter(None, (options.chain, options.inject))])
        server.replace(_load(options))
    except TargetInvalid as error:
        sys.stderr.write(f"twintrack_bridge: not reloaded, the tools stay as they were: {error}\n")


def _give_up(exit_code: int, message: str) -> NoReturn:
    sys.stderr.write(f"twintrack_bridge: {message}\n")
    sys.stderr.flush()
    os._exit(exit_code)  # Threads that the user's module started must not keep the process.


def _read(engine: Engine, server: Server, descriptor: int, limit: int) -> None:
    try:
        read_frames(descriptor, limit, server.receive)
    except OSError:
        pass  # The other side is gone; the same as the end of the stream.
    finally:
        # Also when the loop is blocked by a tool that never gives it back.
        threading.Timer(_EXIT_S, os._exit, (0,)).start()
        engine.stop()


def _end(engine: Engine, server: Server, outbox: Outbox) -> NoReturn:
    server.stop()
    if (loop := engine.started_loop()) is not None:
        import asyncio

        try:
            tasks = asyncio.all_tasks(loop)
            if tasks:
                loop.run_until_complete(asyncio.wait(tasks, timeout=_CANCEL_S))
        except BaseException as error:
            sys.stderr.write(f"twintrack_bridge: at exit: {error!r}\n")
    outbox.flush(_FLUSH_S)
    if os.name == "posix" and os.getpgrp() == os.getpid():
        import signal

        # Child processes of tools would otherwise outlive us.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
    sys.stdout.flush()
    os._exit(0)  # Not sys.exit(): it would wait for threads of tools that hang.


if __name__ == "__main__":
    main()
