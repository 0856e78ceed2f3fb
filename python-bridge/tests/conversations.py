"""Chains that remember: a chat with its history in a file, and a graph with a thread."""

import json
import operator
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.chat_history import BaseChatMessageHistory
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    messages_from_dict,
    messages_to_dict,
)
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.runnables.history import RunnableWithMessageHistory
from langchain_core.tools import tool
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.store.base.batch import AsyncBatchedBaseStore
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, interrupt

Said = dict[str, str]


class FileHistory(BaseChatMessageHistory):
    """A history of the user's own, one file for each session."""

    def __init__(self, folder: Path, session: str) -> None:
        self._file = folder / f"{session}.json"

    @property
    def messages(self) -> list[BaseMessage]:
        return messages_from_dict(json.loads(self._file.read_text())) if self._file.exists() else []

    def add_messages(self, messages: Sequence[BaseMessage]) -> None:
        self._file.write_text(json.dumps(messages_to_dict([*self.messages, *messages])))

    def clear(self) -> None:
        self._file.unlink(missing_ok=True)


def _reply(messages: Sequence[BaseMessage]) -> AIMessage:
    """Say how much was said before and what was said last: another memory is another answer."""
    before = messages[-2].content if len(messages) > 1 else "nothing"
    return AIMessage(f"{len(messages) - 1} before {messages[-1].content!r}, the last {before!r}")


def chat(open_history: Callable[[str], BaseChatMessageHistory], *, sync: bool = False) -> Any:
    runnable = RunnableWithMessageHistory(RunnableLambda(_reply), open_history)

    def config(said: Said) -> Any:
        return {"configurable": {"session_id": said["session"]}}

    async def speak(said: Said) -> Any:
        return (await runnable.ainvoke(said["text"], config(said))).content

    def speak_sync(said: Said) -> Any:
        return runnable.invoke(said["text"], config(said)).content

    return speak_sync if sync else speak


class _State(TypedDict):
    said: Annotated[list[str], operator.add]


def _echo(state: _State) -> _State:
    said = state["said"]
    return {"said": [f"{len(said)} said, {said[-1]} the last"]}


def _echoing(state: type, echo: Callable[[Any], Any], saver: Any) -> Any:
    builder = StateGraph(state)
    builder.add_node("echo", echo)
    builder.add_edge(START, "echo")
    builder.add_edge("echo", END)
    return builder.compile(checkpointer=saver)


def thread(saver: Any, *, sync: bool = False) -> Any:
    """A thread that is spoken to twice in each run."""
    graph = _echoing(_State, _echo, saver)

    def config(said: Said) -> Any:
        return {"configurable": {"thread_id": said["session"]}}

    async def speak(said: Said) -> Any:
        await graph.ainvoke({"said": [said["text"]]}, config(said))
        await graph.ainvoke({"said": ["again"]}, config(said))
        states = [state async for state in graph.aget_state_history(config(said), limit=3)]
        return [(await graph.aget_state(config(said))).values, [s.values for s in states]]

    def speak_sync(said: Said) -> Any:
        graph.invoke({"said": [said["text"]]}, config(said))
        graph.invoke({"said": ["again"]}, config(said))
        states = graph.get_state_history(config(said), limit=3)
        return [graph.get_state(config(said)).values, [s.values for s in states]]

    return speak_sync if sync else speak


def _joined(old: list[str], more: Sequence[list[str]]) -> list[str]:
    return [*old, *(text for texts in more for text in texts)]


class _Growing(TypedDict):
    said: Annotated[list[str], DeltaChannel(_joined, snapshot_frequency=7)]
    heard: Annotated[list[str], DeltaChannel(_joined, snapshot_frequency=2)]


def growing(saver: Any, *, sync: bool = False) -> Any:
    """A thread whose checkpoints hold only what was added, and now and then the whole."""

    def echo(state: _Growing) -> _Growing:
        said = state["said"]
        return {"said": [f"{len(said)} said, {said[-1]} the last"], "heard": [said[-1]]}

    graph = _echoing(_Growing, echo, saver)

    def config(said: Said) -> Any:
        return {"configurable": {"thread_id": said["session"]}}

    async def speak(said: Said) -> Any:
        await graph.ainvoke({"said": [said["text"]]}, config(said))
        await graph.ainvoke({"said": ["again"]}, config(said))
        return (await graph.aget_state(config(said))).values

    def speak_sync(said: Said) -> Any:
        graph.invoke({"said": [said["text"]]}, config(said))
        graph.invoke({"said": ["again"]}, config(said))
        return graph.get_state(config(said)).values

    return speak_sync if sync else speak


class WalkingSaver(InMemorySaver):
    """A checkpointer that reads deltas as LangGraph's base class does: one after the other."""

    def get_delta_channel_history(self, **asked: Any) -> Any:
        return BaseCheckpointSaver.get_delta_channel_history(self, **asked)

    async def aget_delta_channel_history(self, **asked: Any) -> Any:
        return await BaseCheckpointSaver.aget_delta_channel_history(self, **asked)


class FileSaver(InMemorySaver):
    """A checkpointer of the user's own, that notes in a file what was written."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def put(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        with self._file.open("a") as lines:
            lines.write(f"{checkpoint['id']}\n")
        return super().put(config, checkpoint, metadata, new_versions)

    async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        return self.put(config, checkpoint, metadata, new_versions)


def approval(saver: Any, *, sync: bool = False) -> Any:
    """A graph with another one in it, that stops to be told how to go on."""
    inner = StateGraph(_State)
    inner.add_node("deep", lambda state: {"said": [f"deep at {len(state['said'])}"]})
    inner.add_edge(START, "deep")
    inner.add_edge("deep", END)

    def ask(state: _State) -> _State:
        return {"said": [f"{interrupt('go on?')} at {len(state['said'])}"]}

    builder = StateGraph(_State)
    builder.add_node("inner", inner.compile())
    builder.add_node("ask", ask)
    builder.add_edge(START, "inner")
    builder.add_edge("inner", "ask")
    builder.add_edge("ask", END)
    graph = builder.compile(checkpointer=saver)

    def given(said: Said, state: Any) -> Any:
        return Command(resume=said["text"]) if state.next else {"said": [said["text"]]}

    def config(said: Said) -> Any:
        return {"configurable": {"thread_id": said["session"]}}

    async def speak(said: Said) -> Any:
        state = await graph.aget_state(config(said))
        return (await graph.ainvoke(given(said, state), config(said)))["said"]

    def speak_sync(said: Said) -> Any:
        state = graph.get_state(config(said))
        return graph.invoke(given(said, state), config(said))["said"]

    return speak_sync if sync else speak


def classic(memory: Any, *, sync: bool = False) -> Any:
    """As in LangChain's older chains: load, answer, save."""

    async def speak(said: Said) -> Any:
        loaded = await memory.aload_memory_variables({"input": said["session"]})
        reply = f"{said['text']} after {loaded['history']!r}"
        await memory.asave_context({"input": said["text"]}, {"output": said["text"].upper()})
        return reply

    def speak_sync(said: Said) -> Any:
        loaded = memory.load_memory_variables({"input": said["session"]})
        reply = f"{said['text']} after {loaded['history']!r}"
        memory.save_context({"input": said["text"]}, {"output": said["text"].upper()})
        return reply

    return speak_sync if sync else speak


def _whose(said: Said) -> Any:
    return {"configurable": {"whose": said["session"]}}


def _notes_of(config: RunnableConfig) -> tuple[str, str]:
    return "notes", config["configurable"]["whose"]


def notes(store: Any, *, sync: bool = False) -> Any:
    """A graph that keeps notes about whoever speaks, and looks at them first."""
    builder = StateGraph(_State)

    async def look(state: _State, runtime: Runtime[None], config: RunnableConfig) -> _State:
        items, text, mine = runtime.store, state["said"][0], _notes_of(config)
        found = await items.asearch(mine, filter={"kind": "said"})
        last = await items.aget(mine, "last")
        before = str(last and last.value["text"])
        await items.aput(mine, "last", {"kind": "last", "text": text, "score": 1.0})
        await items.aput(mine, before, {"kind": "said", "text": text})
        now = await items.aget(mine, "last")
        return {"said": [f"{len(found)} found, {before} {last and last.value}, {now.value}"]}

    def look_sync(state: _State, runtime: Runtime[None], config: RunnableConfig) -> _State:
        items, text, mine = runtime.store, state["said"][0], _notes_of(config)
        found = items.search(mine, filter={"kind": "said"})
        last = items.get(mine, "last")
        before = str(last and last.value["text"])
        items.put(mine, "last", {"kind": "last", "text": text, "score": 1.0})
        items.put(mine, before, {"kind": "said", "text": text})
        now = items.get(mine, "last")
        return {"said": [f"{len(found)} found, {before} {last and last.value}, {now.value}"]}

    builder.add_node("look", look_sync if sync else look)
    builder.add_edge(START, "look")
    builder.add_edge("look", END)
    graph = builder.compile(store=store)

    async def speak(said: Said) -> Any:
        return await graph.ainvoke({"said": [said["text"]]}, _whose(said))

    def speak_sync(said: Said) -> Any:
        return graph.invoke({"said": [said["text"]]}, _whose(said))

    return speak_sync if sync else speak


def noting(store: Any) -> Any:
    """A graph whose tool takes a note, which is read before and after."""
    builder = StateGraph(_State)

    def look(state: _State, runtime: Runtime[None]) -> _State:
        @tool
        def note(text: str) -> str:
            """Take a note."""
            runtime.store.put(("notes",), "last", {"text": text})
            return "noted"

        def read() -> str:
            last = runtime.store.get(("notes",), "last")
            return str(last and last.value["text"])

        before = read()
        note.invoke({"text": state["said"][0]})
        return {"said": [f"{before}, then {read()}"]}

    builder.add_node("look", look)
    builder.add_edge(START, "look")
    builder.add_edge("look", END)
    graph = builder.compile(store=store)
    return lambda said: graph.invoke({"said": [said["text"]]})["said"]


class SlowStore(AsyncBatchedBaseStore):
    """A store whose asynchronous methods go through a task of its own, as those on databases do."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = InMemoryStore()

    def batch(self, ops: Any) -> Any:
        return self.inner.batch(ops)

    async def abatch(self, ops: Any) -> Any:
        return await self.inner.abatch(ops)


_FOLDER = Path(os.environ.get("TWINTRACK_MEMORY", "."))


def _open(session: str) -> FileHistory:
    return FileHistory(_FOLDER, session)


async def file_chat(said: Said) -> Any:
    """For the dual run of `test/harness/memory.test.ts`; a new chain for each call."""
    return await chat(_open)(said)


file_thread = thread(FileSaver(_FOLDER / "py-threads"))
