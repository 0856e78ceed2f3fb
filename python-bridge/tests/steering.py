"""A graph whose tools steer it: with a command, an order, and a message of their own."""

import operator
import uuid
from typing import Annotated, Any

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode, ToolRuntime
from langgraph.types import Command, Send
from typing_extensions import TypedDict

EXECUTED: list[str] = []


class State(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    notes: Annotated[list[Any], operator.add]


@tool
def note(text: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
    """Write it down."""
    EXECUTED.append("note")
    messages = [ToolMessage("noted", tool_call_id=tool_call_id)]
    return Command(update={"notes": [text, 1.0], "messages": messages})


@tool
def hand(text: str, runtime: ToolRuntime) -> Command[Any]:
    """Hand it to somebody else."""
    EXECUTED.append("hand")
    messages = [ToolMessage("over to them", tool_call_id=runtime.tool_call_id)]
    return Command(update={"messages": messages}, goto=[Send("helper", {"topic": text})])


@tool
def deny(text: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> ToolMessage:
    """Refuse it."""
    EXECUTED.append("deny")
    return ToolMessage(
        "not allowed", tool_call_id=tool_call_id, status="error", artifact={"rule": text}
    )


TOOLS = [note, hand, deny]


def _model(_: State) -> dict[str, Any]:
    calls = [
        {"name": one.name, "args": {"text": "t"}, "id": uuid.uuid4().hex, "type": "tool_call"}
        for one in TOOLS
    ]
    return {"messages": [AIMessage("", tool_calls=calls)]}


def _helper(given: dict[str, Any]) -> dict[str, Any]:
    return {"notes": [f"about {given['topic']}"]}


_graph = (
    StateGraph(State)
    .add_node("model", _model)
    .add_node("tools", ToolNode(TOOLS), destinations=("helper",))
    .add_node("helper", _helper)
    .add_edge(START, "model")
    .add_edge("model", "tools")
    .compile()
)


def steered(_: Any) -> dict[str, Any]:
    """The graph's answer, with the ids of this run's calls as their place among them."""
    state = _graph.invoke({"messages": []})
    asked, *said = state["messages"]
    ids = [call["id"] for call in asked.tool_calls]
    told = [(one.content, one.status, one.artifact, ids.index(one.tool_call_id)) for one in said]
    return {"notes": state["notes"], "told": told}
