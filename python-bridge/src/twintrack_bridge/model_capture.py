"""Where LangChain itself calls models.

Every model class has its own `_generate`, `_agenerate`, `_stream` and `_astream`, which the base
class calls. The base is patched once; when a model comes by, the methods of its own classes are
replaced, in place. Outside of a recorded run they do nothing of their own.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from .capture import CURRENT


@dataclass(frozen=True)
class Seen:
    """One model call: who is asked what."""

    #: `text`: an older model that takes prompts and gives text.
    kind: Literal["chat", "text"]
    model: Any
    #: Messages, or prompts.
    input: list[Any]
    stop: Any
    options: dict[str, Any]
    run_manager: Any


class ModelObserver(Protocol):
    """Stands between LangChain and a model."""

    def generate(self, seen: Seen, body: Callable[[], Any]) -> Any:
        """Answer a call of `_generate`."""
        ...

    async def agenerate(self, seen: Seen, body: Callable[[], Awaitable[Any]]) -> Any:
        """Answer a call of `_agenerate`."""
        ...

    def stream(self, seen: Seen, body: Callable[[], Iterator[Any]]) -> Iterator[Any]:
        """Answer a call of `_stream`."""
        ...

    def astream(self, seen: Seen, body: Callable[[], AsyncIterator[Any]]) -> AsyncIterator[Any]:
        """Answer a call of `_astream`."""
        ...


#: A model call inside a model call is a part of it.
_INSIDE_MODEL: ContextVar[bool] = ContextVar("twintrack_inside_model", default=False)

_ENTRIES = ("generate", "agenerate", "stream", "astream", "stream_events", "astream_events")


@functools.cache
def install() -> None:
    """Patch the two base classes, once per process."""
    from langchain_core.language_models import BaseChatModel, BaseLLM

    for base in (BaseChatModel, BaseLLM):
        for name in _ENTRIES:
            if name in vars(base):
                setattr(base, name, _patched_entry(base, vars(base)[name]))


def _patched_entry(base: type, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def entry(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _observer() is not None:
            _patch_classes(type(self), base)
        return original(self, *args, **kwargs)

    return entry


def _observer() -> ModelObserver | None:
    if _INSIDE_MODEL.get():
        return None
    return getattr(CURRENT.get(), "models", None)


@functools.cache
def _patch_classes(model: type, base: type) -> None:
    """Patch what the model's classes define before the base; LangChain asks who overrides what."""
    kind = "chat" if base.__name__ == "BaseChatModel" else "text"
    for owner in model.__mro__[: model.__mro__.index(base)]:
        for name, patch in _PATCHES.items():
            body = vars(owner).get(name)
            if body is not None and not hasattr(body, "_twintrack_observed"):
                patched = patch(body, kind)
                patched._twintrack_observed = True
                setattr(owner, name, patched)


def _seen(
    kind: Any,
    model: Any,
    given: Any,
    stop: Any = None,
    run_manager: Any = None,
    **options: Any,
) -> Seen:
    asked = list(given) if isinstance(given, (list, tuple)) else [given]
    return Seen(kind, model, asked, stop, options, run_manager)


def _of_call(kind: Any, model: Any, args: Any, kwargs: Any) -> Seen:
    """The input goes by another name in each class, and comes by position."""
    if args:
        return _seen(kind, model, *args, **kwargs)
    rest = dict(kwargs)
    given = next((rest.pop(name) for name in ("messages", "prompts", "prompt") if name in rest), [])
    return _seen(kind, model, given, **rest)


def _generate(body: Any, kind: Any) -> Any:
    @functools.wraps(body)
    def generate(self: Any, *args: Any, **kwargs: Any) -> Any:
        observer = _observer()
        if observer is None:
            return body(self, *args, **kwargs)

        def inside() -> Any:
            token = _INSIDE_MODEL.set(True)
            try:
                return body(self, *args, **kwargs)
            finally:
                _INSIDE_MODEL.reset(token)

        return observer.generate(_of_call(kind, self, args, kwargs), inside)

    return generate


def _agenerate(body: Any, kind: Any) -> Any:
    @functools.wraps(body)
    async def agenerate(self: Any, *args: Any, **kwargs: Any) -> Any:
        observer = _observer()
        if observer is None:
            return await body(self, *args, **kwargs)

        async def inside() -> Any:
            token = _INSIDE_MODEL.set(True)
            try:
                return await body(self, *args, **kwargs)
            finally:
                _INSIDE_MODEL.reset(token)

        return await observer.agenerate(_of_call(kind, self, args, kwargs), inside)

    return agenerate


_END = object()


def _stream(body: Any, kind: Any) -> Any:
    @functools.wraps(body)
    def stream(self: Any, *args: Any, **kwargs: Any) -> Any:
        observer = _observer()
        if observer is None:
            return body(self, *args, **kwargs)

        def inside() -> Iterator[Any]:
            chunks = body(self, *args, **kwargs)
            try:
                while (chunk := _step(chunks)) is not _END:
                    yield chunk
            finally:
                getattr(chunks, "close", _nothing)()

        return observer.stream(_of_call(kind, self, args, kwargs), inside)

    return stream


def _step(chunks: Iterator[Any]) -> Any:
    """Each step on its own: between two of them the generator may wake up in another context."""
    token = _INSIDE_MODEL.set(True)
    try:
        return next(chunks, _END)
    finally:
        _INSIDE_MODEL.reset(token)


def _astream(body: Any, kind: Any) -> Any:
    @functools.wraps(body)
    def astream(self: Any, *args: Any, **kwargs: Any) -> Any:
        observer = _observer()
        if observer is None:
            return body(self, *args, **kwargs)

        async def inside() -> AsyncIterator[Any]:
            chunks = body(self, *args, **kwargs)
            try:
                while (chunk := await _astep(chunks)) is not _END:
                    yield chunk
            finally:
                if hasattr(chunks, "aclose"):
                    await chunks.aclose()

        return observer.astream(_of_call(kind, self, args, kwargs), inside)

    return astream


async def _astep(chunks: AsyncIterator[Any]) -> Any:
    token = _INSIDE_MODEL.set(True)
    try:
        return await anext(chunks, _END)
    finally:
        _INSIDE_MODEL.reset(token)


def _nothing() -> None:
    pass


_PATCHES: dict[str, Callable[[Any, Any], Any]] = {
    "_generate": _generate,
    "_agenerate": _agenerate,
    "_stream": _stream,
    "_astream": _astream,
}
