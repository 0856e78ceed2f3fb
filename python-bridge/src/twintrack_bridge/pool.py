"""Threads for sync tools, and for which request each of them works."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from .work import WORK

T = TypeVar("T")


class Pool(ThreadPoolExecutor):
    """A thread pool that notes for which request a thread works."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Like the base class; the request is known from the context."""
        work = WORK.get()
        if work is None:
            return super().submit(fn, *args, **kwargs)
        work.begin()
        try:
            future = super().submit(fn, *args, **kwargs)
        except BaseException:
            work.end()
            raise
        future.add_done_callback(work.end)
        return future
