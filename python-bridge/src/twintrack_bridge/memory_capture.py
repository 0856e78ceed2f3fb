"""Where LangChain and LangGraph reach their memory: what is installed is patched."""

from __future__ import annotations

import functools
from contextlib import suppress
from importlib import import_module

#: Where `BaseMemory` was and is.
_CLASSIC = ("langchain_classic.base_memory", "langchain_core.memory")


@functools.cache
def install() -> None:
    """Patch what there is, once per process; what does not load cannot be in use."""
    from . import chat_history

    chat_history.install()
    with suppress(ImportError):
        from . import checkpoint

        checkpoint.install()
    with suppress(ImportError):
        from . import store_items

        store_items.install()
    for module in _CLASSIC:
        with suppress(ImportError):
            base = import_module(module).BaseMemory
            from . import classic_memory

            classic_memory.install(base)
