"""Chains that are told by their run configuration whom they serve, and a tool that reads it."""

import json
import os
from dataclasses import dataclass
from operator import add
from typing import Annotated, Any, TypedDict

from langchain_core.chat_history import InMemoryChatMessageHistory
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.runnables.history import RunnableWithMessageHistory
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime


@tool
def seat(row: int, config: RunnableConfig) -> str:
    """Gives a seat."""
    passenger = config.get("configurable", {}).get("passenger_id")
    if passenger is None:  # As real code does it.
        raise ValueError("No passenger ID configured.")
    if sink := os.environ.get("TWINTRACK_SINK"):
        role = os.environ.get("TWINTRACK_ROLE", "live")
        with open(sink, "a") as file:
            file.write(
                json.dumps({"tool": "seat", "passenger": passenger, "role": role})
                + "\n"
            )
    return f"{passenger} sits in {row}"


TOOLS = [seat]


def _seated(wish: dict[str, Any], config: RunnableConfig) -> dict[str, Any]:
    return {
        "said": seat.invoke({"row": wish["row"]}, config),
        "tenant": config.get("metadata", {}).get("tenant"),
        "isVip": "vip" in config.get("tags", []),
        "limit": config.get("recursion_limit"),
    }


seating = RunnableLambda(_seated)


_HISTORIES: dict[str, InMemoryChatMessageHistory] = {}


def _reply(said: list[BaseMessage]) -> AIMessage:
    """Say how much was said before: another session is another answer."""
    return AIMessage(f"{len(said) - 1} before {said[-1].content}")


def _history(session_id: str) -> InMemoryChatMessageHistory:
    return _HISTORIES.setdefault(session_id, InMemoryChatMessageHistory())


chat = RunnableWithMessageHistory(RunnableLambda(_reply), _history) | StrOutputParser()


class Thread(TypedDict, total=False):
    row: int
    said: Annotated[list[str], add]


@dataclass
class Place:
    desk: str | None = None


def _seat(state: Thread, config: RunnableConfig, runtime: Runtime[Place]) -> Thread:
    given = seat.invoke({"row": state["row"]}, config)
    desk = runtime.context.desk if runtime.context else None
    return {"said": [f"{len(state['said'])} before, {desk}: {given}"]}


thread = (
    StateGraph(Thread, context_schema=Place)
    .add_node("seat", _seat)
    .add_edge(START, "seat")
    .compile(checkpointer=InMemorySaver())
)
