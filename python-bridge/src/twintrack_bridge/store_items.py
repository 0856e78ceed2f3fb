"""The items of a LangGraph store, as one run knows them.

The twin of `adapter/store-items.ts`. Everything that is asked of a store is an operation of its
`batch`. In a live run the answers are recorded; in recorded mode they come from the record, and
what the run puts stays in the run. Which items a search finds after the run has written below it
only the store could say, so such a search has no record.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timezone
from typing import Any

from langgraph.store.base import BaseStore, GetOp, Item, ListNamespacesOp, PutOp, SearchItem

from .memory import Memory, Read, current_memory, inside
from .subclasses import patch_subclasses
from .value import Converted, JsonValue, to_json

#: Methods that a store may have of its own beside `batch`, each one operation.
_SINGLE = ("get", "search", "put", "delete", "list_namespaces")
_METHODS = ("batch", "abatch", *_SINGLE, *(f"a{name}" for name in _SINGLE))


@functools.cache
def install() -> None:
    """Patch every store class, once per process."""
    patch_subclasses(BaseStore, _METHODS, _patched)


def _patched(name: str, body: Callable[..., Any]) -> Callable[..., Any]:
    isolated, seen = (
        (_aisolated, _aseen) if inspect.iscoroutinefunction(body) else (_isolated, _seen)
    )

    @functools.wraps(body)
    def patched(self: Any, *args: Any, **kwargs: Any) -> Any:
        memory = current_memory()
        if memory is None:
            return body(self, *args, **kwargs)
        items = memory.held(self, lambda: Items(memory))
        if name in ("batch", "abatch"):
            operations = list(*args, **kwargs)
            if memory.isolated:
                return isolated(items, operations, lambda one: body(self, [one]), _all)
            return seen(items, operations, lambda: body(self, operations), _all)
        operations = _collected(self, name.removeprefix("a"), args, kwargs)
        if memory.isolated:
            return isolated(items, operations, lambda _one: body(self, *args, **kwargs), _first)
        return seen(items, operations, lambda: body(self, *args, **kwargs), _first)

    return patched


class _Collector:
    """Stands in for a store to see which operation one of LangGraph's own methods would make."""

    def __init__(self, store: Any) -> None:
        self.supports_ttl = store.supports_ttl
        self.ttl_config = store.ttl_config
        self.operations: list[Any] = []

    def batch(self, ops: Iterable[Any]) -> list[Any]:
        self.operations.extend(ops)
        return [None for _ in self.operations]


def _collected(store: Any, name: str, args: Any, kwargs: Any) -> list[Any]:
    collector = _Collector(store)
    getattr(BaseStore, name)(collector, *args, **kwargs)
    return collector.operations


def _all(answers: list[Any]) -> Any:
    return answers


def _first(answers: list[Any]) -> Any:
    return answers[0]


def _seen(items: Items, operations: Sequence[Any], live: Any, shape: Any) -> Any:
    """In a live run: all of them are carried out, and reads recorded."""
    with inside():
        answer = live()
    items.note(operations, answer if shape is _all else [answer])
    return answer


async def _aseen(items: Items, operations: Sequence[Any], live: Any, shape: Any) -> Any:
    with inside():
        answer = await live()
    items.note(operations, answer if shape is _all else [answer])
    return answer


def _isolated(items: Items, operations: Sequence[Any], live: Any, shape: Any) -> Any:
    """In recorded mode. As in LangGraph's own stores, reads come before writes of their batch."""
    answers: list[Any] = []
    for operation in operations:
        known, answer = items.known(operation)
        if not known:
            answer = items.memory.before(
                items.read(operation), lambda one=operation: _one(shape, live(one))
            )
        answers.append(answer)
    items.put(operations)
    return shape(answers)


async def _aisolated(items: Items, operations: Sequence[Any], live: Any, shape: Any) -> Any:
    answers: list[Any] = []
    for operation in operations:
        known, answer = items.known(operation)
        if not known:

            async def asked(one: Any = operation) -> Any:
                return _one(shape, await live(one))

            answer = await items.memory.abefore(items.read(operation), asked)
        answers.append(answer)
    items.put(operations)
    return shape(answers)


def _one(shape: Any, answer: Any) -> Any:
    return answer[0] if shape is _all else answer


class Items:
    """See the module's text."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self._ordinal = memory.ordinal("store")
        #: By namespace and key; None when this run deleted it.
        self._own: dict[tuple[Any, str], Item | None] = {}

    def known(self, operation: Any) -> tuple[bool, Any]:
        """Whether this run itself says what the answer is."""
        if isinstance(operation, PutOp):
            return True, None
        if isinstance(operation, GetOp) and _place(operation) in self._own:
            return True, self._own[_place(operation)]
        if self._is_changed(operation):
            raise self.memory.unrecorded(self.read(operation))
        return False, None

    def note(self, operations: Sequence[Any], answers: Sequence[Any]) -> None:
        """Record what was read, and remember what was put."""
        for operation, answer in zip(operations, answers, strict=True):
            is_own = isinstance(operation, GetOp) and _place(operation) in self._own
            if not is_own and not isinstance(operation, PutOp):
                self.memory.before(self.read(operation), lambda answer=answer: answer)
        self.put(operations)

    def put(self, operations: Sequence[Any]) -> None:
        """Keep what the run puts."""
        now = datetime.now(timezone.utc)
        for operation in operations:
            if isinstance(operation, PutOp):
                value = operation.value
                self._own[_place(operation)] = (
                    None
                    if value is None
                    else Item(
                        value=dict(value),
                        key=operation.key,
                        namespace=operation.namespace,
                        created_at=now,
                        updated_at=now,
                    )
                )

    def read(self, operation: Any) -> Read:
        """The operation as a read of the store as it was before the run."""
        is_changed = self._is_changed(operation)

        def encode(answer: Any) -> Converted:
            converted = to_json(_plain(answer))
            return converted._replace(lossy=converted.lossy or is_changed)

        asked = {"is": type(operation).__name__, **operation._asdict()}
        return Read(
            "items",
            {"store": self._ordinal, "asked": to_json(asked).value},
            encode=encode,
            decode=lambda value: _answer(operation, value),
        )

    def _is_changed(self, operation: Any) -> bool:
        """Whether this run wrote where the operation looks."""
        if isinstance(operation, GetOp):
            return False
        if isinstance(operation, ListNamespacesOp):
            return len(self._own) > 0
        prefix = tuple(operation.namespace_prefix)
        return any(namespace[: len(prefix)] == prefix for namespace, _ in self._own)


def _place(operation: Any) -> tuple[Any, str]:
    return tuple(operation.namespace), operation.key


def _plain(answer: Any) -> Any:
    if isinstance(answer, Item):
        return answer.dict()
    if isinstance(answer, (list, tuple)):
        return [_plain(one) for one in answer]
    return answer


def _answer(operation: Any, value: JsonValue) -> Any:
    if isinstance(operation, ListNamespacesOp):
        return [tuple(namespace) for namespace in value]
    if isinstance(operation, GetOp):
        return value and Item(**value)
    return [SearchItem(**item) for item in value]
