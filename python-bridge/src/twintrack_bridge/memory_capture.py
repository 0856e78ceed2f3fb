"""Where LangChain and LangGraph reach their memory: what is installed is patched."""

from __future__ import annotations

import functools
from importlib import import_module
from importlib.util import find_spec

#: Where `BaseMemory` was and is.
_CLASSIC = ("langchain_classic.base_memory", "langchain_core.memory")


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
    for module in _CLASSIC:
        if _is_installed(module):
            from . import classic_memory

            classic_memory.install(import_module(module).BaseMemory)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # Nor is the package that would hold it.
        return False
