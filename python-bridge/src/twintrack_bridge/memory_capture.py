"""Where LangChain and LangGraph reach their memory: what is installed is patched."""

from __future__ import annotations

import functools
from importlib.util import find_spec


@functools.cache
def install() -> None:
    """Patch what there is, once per process."""
    from . import chat_history

    chat_history.install()
    if _is_installed("langgraph.checkpoint.memory"):
        from . import checkpoint

        checkpoint.install()
    if _is_installed("langgraph.store.base"):
        from . import store_items

        store_items.install()


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # Nor is the package that would hold it.
        return False
