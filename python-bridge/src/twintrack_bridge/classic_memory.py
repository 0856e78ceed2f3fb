"""The memories of LangChain's older chains: variables loaded before, and a context saved after.

The twin of `adapter/classic-memory.ts`. How a memory makes variables of what was saved is its own
affair, so in recorded mode a save is dropped, and variables that are loaded after one in the same
run have no record.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from langchain_core.messages import BaseMessage, messages_from_dict, messages_to_dict

from .memory import Memory, Read, current_memory, inside
from .subclasses import patch_subclasses
from .value import Converted, JsonObject, JsonValue, to_json

_LOAD = ("load_memory_variables", "aload_memory_variables")
_WRITE = ("save_context", "asave_context", "clear", "aclear")

_MESSAGES = "twintrack/messages"


@functools.cache
def install(base: Any) -> None:
    """Patch every memory class below `base`, once per process."""
    patch_subclasses(base, (*_LOAD, *_WRITE), _patched)


def _patched(name: str, body: Callable[..., Any]) -> Callable[..., Any]:
    is_async, is_load = inspect.iscoroutinefunction(body), name in _LOAD

    @functools.wraps(body)
    def patched(self: Any, *args: Any, **kwargs: Any) -> Any:
        memory = current_memory()
        if memory is None:
            return body(self, *args, **kwargs)
        state = _state_of(memory, self)

        def live() -> Any:
            return body(self, *args, **kwargs)

        if is_load:
            read = _read(state, args[0] if args else next(iter(kwargs.values()), None))
            return (_aload if is_async else _load)(memory, state, read, live)
        return (_awrite if is_async else _write)(memory, state, live)

    return patched


class _State:
    """One for all memories that look alike: a chain may make a new one for each call."""

    def __init__(self, looks: JsonObject) -> None:
        self.looks = looks
        self.is_written = False


def _state_of(memory: Memory, classic: Any) -> _State:
    keys = to_json(list(classic.memory_variables)).value
    looks = {"memory": type(classic).__name__, "keys": keys}
    return memory.held(f"variables {looks}", lambda: _State(looks))


def _load(memory: Memory, state: _State, read: Read, live: Callable[[], Any]) -> Any:
    if memory.isolated and state.is_written:
        raise memory.unrecorded(read)
    return memory.before(read, live)


async def _aload(memory: Memory, state: _State, read: Read, live: Callable[[], Any]) -> Any:
    if memory.isolated and state.is_written:
        raise memory.unrecorded(read)
    return await memory.abefore(read, live)


def _write(memory: Memory, state: _State, live: Callable[[], Any]) -> Any:
    state.is_written = True
    if memory.isolated:
        return None
    with inside():
        return live()


async def _awrite(memory: Memory, state: _State, live: Callable[[], Any]) -> Any:
    state.is_written = True
    if memory.isolated:
        return None
    with inside():
        return await live()


def _read(state: _State, inputs: Any) -> Read:
    def encode(variables: Any) -> Converted:
        plain = {name: _plain(value) for name, value in variables.items()}
        converted = to_json(plain)
        return converted._replace(lossy=converted.lossy or state.is_written)

    return Read(
        "variables",
        {**state.looks, "inputs": to_json(inputs).value},
        encode=encode,
        decode=lambda variables: {name: _revived(value) for name, value in variables.items()},
    )


def _plain(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(one, BaseMessage) for one in value):
        return {_MESSAGES: messages_to_dict(value)}
    return value


def _revived(value: JsonValue) -> Any:
    stored = value.get(_MESSAGES) if isinstance(value, dict) else None
    return value if stored is None else messages_from_dict(stored)
