"""A second run of a chain with memory: it sees the memory of the first, and leaves it as it is.

The twin of `test/adapter/memory-overlay.test.ts`.
"""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage, messages_to_dict
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore

import conversations
from twintrack_bridge.chain import invoke

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # It is deprecated, and still in use.
    from langchain_classic.memory import ConversationBufferMemory

#: These memories are deprecated, and still in use.
pytestmark = pytest.mark.filterwarnings(
    "ignore::langchain_core._api.deprecation.LangChainDeprecationWarning"
)


class ListHistory(conversations.BaseChatMessageHistory):
    """A history of the user's own, in memory."""

    def __init__(self) -> None:
        self.messages: list[BaseMessage] = []

    def add_message(self, message: BaseMessage) -> None:
        self.messages.append(message)

    def clear(self) -> None:
        self.messages = []


class Remembering:
    """A chain, and all that it remembers."""

    def __init__(self, chain: Any, state: Callable[[], Any]) -> None:
        self.chain = chain
        self.state = state


def in_memory(_folder: Path, sync: bool) -> Remembering:
    sessions: dict[str, ListHistory] = {}
    chain = conversations.chat(lambda name: sessions.setdefault(name, ListHistory()), sync=sync)
    return Remembering(
        chain, lambda: {name: messages_to_dict(h.messages) for name, h in sessions.items()}
    )


def in_files(folder: Path, sync: bool) -> Remembering:
    chain = conversations.chat(lambda name: conversations.FileHistory(folder, name), sync=sync)
    return Remembering(chain, lambda: {f.name: f.read_bytes() for f in folder.iterdir()})


def saver(_folder: Path, sync: bool) -> Remembering:
    return _thread(InMemorySaver(), sync)


def file_saver(folder: Path, sync: bool) -> Remembering:
    return _thread(conversations.FileSaver(folder / "threads"), sync)


def inner_graphs(folder: Path, sync: bool) -> Remembering:
    """Interrupted, and resumed."""
    saver = conversations.FileSaver(folder / "threads")
    return _thread(saver, sync, conversations.approval)


def deltas(_folder: Path, sync: bool) -> Remembering:
    return _thread(InMemorySaver(), sync, conversations.growing)


def walked_deltas(_folder: Path, sync: bool) -> Remembering:
    return _thread(conversations.WalkingSaver(), sync, conversations.growing)


def _thread(saver: Any, sync: bool, make: Any = conversations.thread) -> Remembering:
    def state() -> Any:
        stored = {thread: repr(spaces) for thread, spaces in saver.storage.items() if spaces}
        return stored, repr(dict(saver.writes)), repr(dict(saver.blobs))

    return Remembering(make(saver, sync=sync), state)


def store(_folder: Path, sync: bool) -> Remembering:
    it = InMemoryStore()

    def state() -> Any:
        return {str(namespace): repr(items) for namespace, items in it._data.items() if items}

    return Remembering(conversations.notes(it, sync=sync), state)


def classic_text(_folder: Path, sync: bool) -> Remembering:
    return _classic(ConversationBufferMemory(), sync)


def classic_messages(_folder: Path, sync: bool) -> Remembering:
    return _classic(ConversationBufferMemory(return_messages=True), sync)


def _classic(memory: Any, sync: bool) -> Remembering:
    chain = conversations.classic(memory, sync=sync)
    return Remembering(chain, lambda: messages_to_dict(memory.chat_memory.messages))


def everything(folder: Path, sync: bool) -> Remembering:
    """A history that is opened twice, beside a thread and a store."""
    history = in_files(folder, sync)
    parts = [history, history, store(folder, sync), file_saver(folder, sync)]

    async def all_of_them(said: Any) -> Any:
        return [await part.chain(said) for part in parts]

    def all_of_them_sync(said: Any) -> Any:
        return [part.chain(said) for part in parts]

    chain = all_of_them_sync if sync else all_of_them
    return Remembering(chain, lambda: [part.state() for part in parts])


KINDS = [
    in_memory,
    in_files,
    saver,
    file_saver,
    inner_graphs,
    deltas,
    walked_deltas,
    store,
    classic_text,
    classic_messages,
    everything,
]


@pytest.fixture(params=KINDS, ids=lambda make: make.__name__)
def remembering(request: pytest.FixtureRequest, tmp_path: Path, sync: bool) -> Remembering:
    return request.param(tmp_path, sync)


@pytest.fixture(params=[False, True], ids=["async", "sync"])
def sync(request: pytest.FixtureRequest) -> bool:
    return request.param


async def run(chain: Any, text: str, tools: dict[str, Any], session: str = "s") -> dict[str, Any]:
    said = {"session": session, "text": text}
    return await invoke(chain, {"input": said, "tools": tools, "effects": {}})


def live(it: Remembering, text: str) -> dict[str, Any]:
    return asyncio.run(run(it.chain, text, {"mode": "live"}))


def recorded(memory: Any, reads: str = "recorded") -> dict[str, Any]:
    # As it comes back from JavaScript, which writes 1.0 as 1.
    stored = json.loads(json.dumps(memory).replace(" 1.0", " 1"))
    return {"mode": "recorded", "recording": [], "reads": reads, "memory": stored}


def test_memory_is_for_a_second_run_as_it_was_for_the_first(remembering: Remembering) -> None:
    for text in ("one", "two", "three"):
        first = live(remembering, text)
        assert first["outcome"]["status"] == "returned", first["outcome"]
        before = remembering.state()
        second = asyncio.run(run(remembering.chain, text, recorded(first["memory"])))
        assert second["outcome"] == first["outcome"]
        assert "memory" not in second
        assert remembering.state() == before
    # Without the record the second run sees a longer conversation: the test above can fail.
    assert live(remembering, "four")["outcome"] != live(remembering, "four")["outcome"]


def test_a_read_that_the_first_run_did_not_make_is_refused(remembering: Remembering) -> None:
    first = live(remembering, "one")
    before = remembering.state()
    second = asyncio.run(run(remembering.chain, "one", recorded(first["memory"]), "other"))
    assert second["outcome"]["error"]["code"] == "READ_UNRECORDED"
    assert [read["served"] for read in second["memory"]] == ["refused"]
    assert remembering.state() == before


def test_memory_is_read_live_where_allowed_and_not_written(remembering: Remembering) -> None:
    live(remembering, "one")
    before = remembering.state()
    shadow = asyncio.run(run(remembering.chain, "two", recorded([], reads="live")))
    assert remembering.state() == before
    assert shadow["outcome"] == live(remembering, "two")["outcome"]


def test_many_runs_at_the_same_time_have_a_memory_each(remembering: Remembering) -> None:
    first = live(remembering, "one")
    before = remembering.state()

    async def again() -> list[Any]:
        tools = recorded(first["memory"])
        return await asyncio.gather(*(run(remembering.chain, "one", tools) for _ in range(8)))

    assert [one["outcome"] for one in asyncio.run(again())] == [first["outcome"]] * 8
    assert remembering.state() == before


def test_a_store_with_a_task_of_its_own_is_seen_by_the_run_that_asks() -> None:
    async def both() -> None:
        store = conversations.SlowStore()
        chain = conversations.notes(store)
        for text in ("one", "two"):
            first = await run(chain, text, {"mode": "live"})
            assert first["outcome"]["status"] == "returned", first["outcome"]
            before = repr(store.inner._data)
            second = await run(chain, text, recorded(first["memory"]))
            assert second["outcome"] == first["outcome"]
            assert repr(store.inner._data) == before

    asyncio.run(both())


def test_two_histories_of_one_session_are_not_taken_for_one(tmp_path: Path) -> None:
    parts = [in_files(tmp_path, True), in_files(tmp_path, True)]
    it = Remembering(lambda said: [part.chain(said) for part in parts], list)
    second = asyncio.run(run(it.chain, "one", recorded(live(it, "one")["memory"])))
    assert second["outcome"]["error"]["code"] == "RECORDING_LOSSY"
    assert [read["lossy"] for read in second["memory"]] == [True]


def test_classes_that_are_defined_later_are_seen_too(tmp_path: Path) -> None:
    live(in_files(tmp_path, True), "installs")

    class LateSaver(conversations.FileSaver):
        def get_tuple(self, config: Any) -> Any:
            return super().get_tuple(config)

    class LateStore(InMemoryStore):
        def batch(self, ops: Any) -> Any:
            return super().batch(ops)

    saver, store = LateSaver(tmp_path / "late"), LateStore()
    parts = [conversations.thread(saver, sync=True), conversations.notes(store, sync=True)]
    it = Remembering(lambda said: [part(said) for part in parts], list)
    first = live(it, "one")
    assert {read["kind"] for read in first["memory"]} == {"checkpoint", "checkpoints", "items"}
    before = (tmp_path / "late").read_bytes(), repr(store._data)
    second = asyncio.run(run(it.chain, "one", recorded(first["memory"])))
    assert second["outcome"] == first["outcome"]
    assert ((tmp_path / "late").read_bytes(), repr(store._data)) == before


def test_what_a_tool_does_to_a_memory_is_a_part_of_the_tools_record() -> None:
    store = InMemoryStore()
    it = Remembering(conversations.noting(store), list)
    for text, reply in (("one", "None, then one"), ("two", "one, then two")):
        first = live(it, text)
        assert first["outcome"]["value"] == [text, reply]
        before = repr(store._data)
        tools = {**recorded(first["memory"]), "recording": first["calls"]}
        second = asyncio.run(run(it.chain, text, tools))
        assert [call["served"] for call in second["calls"]] == ["recorded"]
        assert second["outcome"] == first["outcome"]
        assert repr(store._data) == before


def test_a_memory_that_is_too_large_to_be_kept_is_refused_and_not_cut(tmp_path: Path) -> None:
    it = in_files(tmp_path, True)
    live(it, "x" * 1_100_000)
    first = live(it, "one")
    assert [(read["kind"], read["lossy"], "value" in read) for read in first["memory"]] == [
        ("messages", True, False)
    ]
    second = asyncio.run(run(it.chain, "one", recorded(first["memory"])))
    assert second["outcome"]["error"]["code"] == "RECORDING_LOSSY"
