"""LangChain's run configuration on its way into chains and tools."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph
from langgraph.prebuilt import ToolRuntime
from langgraph.runtime import Runtime

from twintrack_bridge.call import Call, call_in_thread, call_on_loop
from twintrack_bridge.chain import invoke
from twintrack_bridge.contract import bridge
from twintrack_bridge.run_config import run_config_of

ANN = {"configurable": {"user": "ann"}}
LIVE = {"tools": {"mode": "live"}, "effects": {}}


def user_in(config: RunnableConfig | None) -> str:
    return (config or {}).get("configurable", {}).get("user", "nobody")


@tool
def greet(word: str, config: RunnableConfig) -> str:
    """Greets whoever the run is for."""
    return f"{word} {user_in(config)}"


@tool
async def agreet(word: str, config: RunnableConfig) -> str:
    """Greets whoever the run is for, on the loop."""
    return f"{word} {user_in(config)} at {config.get('recursion_limit')}"


@dataclass
class Place:
    desk: str = "none"


@tool
def locate(runtime: ToolRuntime[Place]) -> str:
    """Says where the run is, and for whom."""
    return f"{user_in(runtime.config)} at {runtime.context.desk}"


def outcome(chain: Any, config: Any = None, streamed: bool = False) -> Any:
    chunks: list[Any] = []

    async def hand(chunk: Any) -> None:
        chunks.append(chunk)

    params = {"input": "hi", **LIVE, **({"config": config} if config else {})}
    ran = asyncio.run(invoke(chain, params, hand if streamed else None))["outcome"]
    return ran.get("value", ran.get("error"))


def takes_config(word: str, config: RunnableConfig | None = None) -> str:
    return f"{word} {user_in(config)}"


async def atakes_config(word: str, config: RunnableConfig | None = None) -> str:
    return f"{word} {user_in(config)}"


async def yields(word: str, config: RunnableConfig | None = None) -> AsyncIterator[str]:
    yield word
    yield f" {user_in(config)}"


def hands_nothing_on(word: str) -> str:
    return greet.invoke({"word": word})


async def ahands_nothing_on(word: str) -> str:
    return await greet.ainvoke({"word": word})


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "chain",
    [
        RunnableLambda(takes_config),
        RunnableLambda(atakes_config) | RunnableLambda(lambda said: said),
        takes_config,
        atakes_config,
        hands_nothing_on,
        ahands_nothing_on,
    ],
)
def test_a_chain_is_run_with_it_and_without_one_as_ever(chain: Any, streamed: bool) -> None:
    assert outcome(chain, ANN, streamed) == "hi ann"
    assert outcome(chain, None, streamed) == "hi nobody"


def test_a_generator_is_streamed_with_it() -> None:
    assert outcome(yields, ANN, streamed=True) == "hi ann"


class State(TypedDict):
    said: str


def _say(_state: State, config: RunnableConfig, runtime: Runtime[Place]) -> State:
    return {"said": f"{user_in(config)} at {runtime.context.desk if runtime.context else None}"}


graph = StateGraph(State, context_schema=Place).add_node("say", _say).add_edge(START, "say")
compiled = graph.compile()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "chain", [compiled, compiled.with_config(tags=["x"]), compiled.with_retry()]
)
def test_a_graph_is_given_its_context_in_its_own_type(chain: Any, streamed: bool) -> None:
    start = {"input": {"said": ""}, **LIVE, "config": {**ANN, "context": {"desk": "A"}}}

    async def hand(_chunk: Any) -> None:
        pass

    ran = asyncio.run(invoke(chain, start, hand if streamed else None))["outcome"]
    said = ran["value"]
    assert (said.get("say") or said)["said"] == "ann at A"


@pytest.mark.parametrize("chain", [RunnableLambda(takes_config), takes_config])
def test_a_chain_that_takes_no_context_is_not_run_as_if_there_were_none(chain: Any) -> None:
    failed = outcome(chain, {**ANN, "context": {"desk": "A"}})
    assert failed["name"] == "TypeError"
    assert "takes no context" in failed["message"]


def called(one: Any, args: dict[str, Any], config: Any, **more: Any) -> str:
    (bridged,), _ = bridge([one], lambda _tool, argument: argument == "runtime")
    call = Call(args, run_config=run_config_of(config), **more)
    if one is agreet:
        result = asyncio.run(call_on_loop(bridged, call))
    else:
        result = call_in_thread(bridged, call, asyncio.get_event_loop)
    return result["content"][0]["text"]


def test_a_tool_reads_it_where_langchain_tells_it() -> None:
    assert called(greet, {"word": "hi"}, ANN) == "hi ann"
    assert called(greet, {"word": "hi"}, None) == "hi nobody"
    assert called(agreet, {"word": "hi"}, {**ANN, "recursion_limit": 7}) == "hi ann at 7"


def test_a_runtime_has_the_context_of_the_run_unless_the_host_binds_one() -> None:
    config = {**ANN, "context": {"desk": "A"}}
    assert called(locate, {}, config, inject={"runtime": {}}) == "ann at A"
    bound = {"runtime": {"context": {"desk": "own"}}}
    assert called(locate, {}, config, inject=bound) == "ann at own"


def test_trace_context_and_metadata_are_told_together() -> None:
    @tool
    def facts(config: RunnableConfig) -> str:
        """Says what it is told."""
        told = config.get("metadata", {})
        return f"{told['tenant']} {told['traceparent']}"

    config = {"metadata": {"tenant": "north"}}
    assert called(facts, {}, config, trace={"traceparent": "00-1"}) == "north 00-1"
    assert config == {"metadata": {"tenant": "north"}}
