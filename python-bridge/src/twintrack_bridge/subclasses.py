"""Every class below a base: those that are there, and each later one when it is defined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

_OBSERVED = "_twintrack_observed"

Patch = Callable[[str, Callable[..., Any]], Callable[..., Any]]


def patch_subclasses(base: Any, names: Sequence[str], patch: Patch) -> None:
    """Replace these methods where a class below `base` defines them, in place and once."""

    def patch_class(cls: Any) -> None:
        for name in names:
            body = vars(cls).get(name)
            if body is not None and not hasattr(body, _OBSERVED):
                patched = patch(name, body)
                setattr(patched, _OBSERVED, True)
                setattr(cls, name, patched)

    waiting: list[Any] = base.__subclasses__()
    while waiting:
        cls = waiting.pop()
        patch_class(cls)
        waiting.extend(cls.__subclasses__())
    own = vars(base).get("__init_subclass__")

    def patch_later(cls: Any, **kwargs: Any) -> None:
        if own is None:
            super(base, cls).__init_subclass__(**kwargs)
        else:
            own.__func__(cls, **kwargs)
        patch_class(cls)

    base.__init_subclass__ = classmethod(patch_later)
