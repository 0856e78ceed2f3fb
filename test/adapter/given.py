"""A tool that returns what JSON cannot give back as what it was, and a chain that passes it on."""

import dataclasses
import datetime
import decimal
from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.tools import tool
from langgraph.types import Command
from pydantic import BaseModel


class Order(BaseModel):
    id: int


@dataclasses.dataclass
class Point:
    x: int


VALUES: dict[str, Any] = {
    "model": Order(id=1),
    "dataclass": Point(1),
    "date": datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc),
    "decimal": decimal.Decimal("1.10"),
    "tuple": (1, "a"),
    "set": {1, 2},
    "nan": float("nan"),
    "long": [2**60],
    "plain": {"a": [1]},
    "update": Command(update={"a": 1}),
    "order": Command(update={"a": 1}, goto="elsewhere"),
    "message": ToolMessage("from a message", tool_call_id="1"),
}


@tool
def fetch(kind: str) -> Any:
    """Look up the value of a kind."""
    return VALUES[kind]


def chain(asked: dict[str, str]) -> Any:
    """Pass on what the tool returned: of a message what a model reads, of a command its update."""
    returned = fetch.invoke(asked)
    if isinstance(returned, ToolMessage):
        return returned.content
    return {"update": returned.update} if isinstance(returned, Command) else returned


TOOLS = [fetch]
