"""Where work runs: threads for sync tools, one event loop for async ones, both made when needed.

A process whose tools are sync never imports asyncio on our account. The loop runs on the main
thread, where user code expects it, and lives as long as the process: HTTP clients bind to it.
"""

from __future__ import annotations

import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio

    from .pool import Pool


class Engine:
    """The threads and the event loop of one process."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._lock = threading.Lock()
        self._called = threading.Event()  # The main thread has something to do.
        self._started = threading.Event()  # The loop is there.
        self._pool: Pool | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False

    def pool(self) -> Pool:
        """The threads."""
        with self._lock:
            if self._pool is None:
                from .pool import Pool

                self._pool = Pool(self._threads, thread_name_prefix="twintrack-tool")
            return self._pool

    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop. Not for the main thread, which is the one that runs it."""
        if self._loop is None:
            self._called.set()
            self._started.wait()
        assert self._loop is not None
        return self._loop

    def started_loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop, if anything needed one."""
        return self._loop

    def stop(self) -> None:
        """Let `run` return; from any thread."""
        self._stopped = True
        self._called.set()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)

    def run(self) -> None:
        """Be the main thread, until `stop`."""
        try:
            self._called.wait()
            if not self._stopped:
                self._run_loop()
        except KeyboardInterrupt:
            return

    def _run_loop(self) -> None:
        import asyncio

        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        loop.set_default_executor(self.pool())
        self._loop = loop
        self._started.set()
        while not self._stopped:
            try:
                loop.run_forever()
            except SystemExit:
                # A task that a tool started called sys.exit(); the others go on.
                sys.stderr.write("twintrack_bridge: a task of a tool called sys.exit()\n")
