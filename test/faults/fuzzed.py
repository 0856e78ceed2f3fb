"""Tools of several shapes for a client that says damaged things; none takes long."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from langchain_core.tools import InjectedToolArg, StructuredTool, Tool, tool
from pydantic import BaseModel, Field


class Node(BaseModel):
    """A tree."""

    name: str = Field(alias="theName")
    children: list["Node"] = []


@tool
def add(a: int, b: int = 2) -> int:
    """Add."""
    return a + b


@tool
async def slowly(text: str) -> str:
    """Say it, awaited."""
    return text


@tool
def tree(node: Node, tags: dict[str, list[int]] | None = None) -> Any:
    """Give back what came."""
    return [node, tags]


@tool
def count(upto: int) -> Iterator[int]:
    """Count a little."""
    yield from range(min(upto, 5))


@tool
async def count_slowly(upto: int) -> AsyncIterator[int]:
    """Count a little, awaited."""
    for number in range(min(upto, 5)):
        yield number


@tool
def whose(x: int, user: Annotated[str, InjectedToolArg]) -> str:
    """Say whose."""
    return f"{x} {user}"


ALL: list[Any] = [
    add,
    slowly,
    tree,
    count,
    count_slowly,
    whose,
    Tool(name="legacy", func=lambda text: str(text)[:100], description="Take one value."),
    StructuredTool(
        name="unchecked",
        description="A dict schema.",
        args_schema={"type": "object", "properties": {"x": {"type": "integer"}}},
        func=lambda **given: given,
    ),
]
