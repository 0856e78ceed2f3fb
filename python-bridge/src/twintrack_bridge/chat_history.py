"""Sessions: the message history that `RunnableWithMessageHistory` opens for a run.

The twin of `adapter/chat-history.ts`. Whatever history the user's code gives, it is asked for where
LangChain merges it into its configuration. In a live run its messages are recorded when they are
first read; in recorded mode the user's history is not asked for unless reads are live, and a list
of messages stands in for it.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import BaseMessage, messages_from_dict, messages_to_dict
from langchain_core.runnables.history import RunnableWithMessageHistory

from .errors import RecordingLossy
from .memory import Memory, Read, current_memory
from .value import to_json


@functools.cache
def install() -> None:
    """Patch where a history is opened, once per process."""
    patched: Any = RunnableWithMessageHistory
    merge = patched._merge_configs

    @functools.wraps(merge)
    def merge_observed(self: Any, *configs: Any) -> Any:
        memory = current_memory()
        if memory is None:
            return merge(self, *configs)
        twin = copy.copy(self)
        opened = _opener(memory, self.get_session_history)
        object.__setattr__(twin, "get_session_history", opened)  # Past pydantic's validation.
        return merge(twin, *configs)

    patched._merge_configs = merge_observed


def _opener(memory: Memory, factory: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(factory)  # LangChain reads the names of its parameters.
    def open_history(*args: Any, **kwargs: Any) -> Any:
        read = _read({"args": list(args), "kwargs": kwargs}, factory)
        if not memory.isolated:
            history = factory(*args, **kwargs)
            return memory.held(history, lambda: _Observed(history, memory, read))
        overlay = memory.held(
            read.name,
            lambda: _Overlay(memory, read, factory, lambda: factory(*args, **kwargs)),
        )
        if overlay.factory is not factory:
            raise memory.refuse(read, RecordingLossy(f"Two functions open {read.name} in one run"))
        return overlay

    return open_history


def _read(session: dict[str, Any], factory: Callable[..., Any]) -> Read:
    # Two histories of one session differ at least in the code that opens them.
    opener = getattr(factory, "__qualname__", type(factory).__name__)
    return Read(
        "messages",
        {"session": to_json(session).value, "opener": opener},
        encode=lambda messages: to_json(messages_to_dict(messages)),
        decode=messages_from_dict,
    )


class _Observed:
    """The user's own history; its first read is recorded, unless this run wrote before it."""

    def __init__(self, history: Any, memory: Memory, read: Read) -> None:
        self._history = history
        self._memory = memory
        self._read = read
        self._is_known = False

    @property
    def messages(self) -> Any:
        if self._is_known:
            return self._history.messages
        self._is_known = True
        return self._memory.before(self._read, lambda: self._history.messages)

    async def aget_messages(self) -> Any:
        if self._is_known:
            return await self._history.aget_messages()
        self._is_known = True
        return await self._memory.abefore(self._read, self._history.aget_messages)

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("add_", "aadd_", "clear", "aclear")):
            self._is_known = True
        return getattr(self._history, name)


class _Overlay(BaseChatMessageHistory):
    """In recorded mode: one list per session, that begins as the recorded one."""

    def __init__(
        self,
        memory: Memory,
        read: Read,
        factory: Callable[..., Any],
        open_live: Callable[[], Any],
    ) -> None:
        self.factory = factory
        self._memory = memory
        self._read = read
        self._open_live = open_live
        self._messages: list[BaseMessage] | None = None
        #: What was written before anything was read.
        self._waiting: list[BaseMessage] = []

    @property
    def messages(self) -> list[BaseMessage]:  # pyright: ignore[reportIncompatibleVariableOverride]  # As LangChain's own do.
        if self._messages is None:
            self._begin(self._memory.before(self._read, lambda: self._open_live().messages))
        return self._messages or []

    async def aget_messages(self) -> list[BaseMessage]:
        if self._messages is None:
            read = self._memory.abefore(self._read, lambda: self._open_live().aget_messages())
            self._begin(await read)
        return self._messages or []

    def _begin(self, messages: Sequence[BaseMessage]) -> None:
        if self._messages is None:
            self._messages = [*messages, *self._waiting]

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        (self._waiting if self._messages is None else self._messages).extend(messages)

    async def aadd_messages(self, messages: Sequence[BaseMessage]) -> None:
        self.add_messages(messages)

    def clear(self) -> None:
        self._messages = []

    async def aclear(self) -> None:
        self.clear()
