"""One tool of every shape LangChain has, as teams write them."""

import asyncio
import enum
import os
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from langchain_core.documents import Document
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import (
    BaseTool,
    BaseToolkit,
    InjectedToolArg,
    InjectedToolCallId,
    StructuredTool,
    Tool,
    ToolException,
    tool,
)
from pydantic import BaseModel, Field
from typing_extensions import TypedDict


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    street: str
    zip_code: str = Field(alias="zipCode")


class Order(BaseModel):
    """An order."""

    order_id: str = Field(validation_alias="orderId")
    address: Address
    count: int = Field(default=1, ge=1)
    color: Color = Color.RED
    note: str | None = None


class Receipt(BaseModel):
    order_id: str
    total: float


class Weather(TypedDict):
    city: str
    degrees: float


@tool
def add(a: int, b: int = 2) -> int:
    """Add two numbers."""
    return a + b


@tool
async def weather(city: str) -> Weather:
    """Tell the weather."""
    await asyncio.sleep(0)
    return {"city": city, "degrees": 21.5}


@tool(args_schema=Order)
def place_order(order_id: str, address: Address, count: int, color: Color, note: str | None) -> Any:
    """Place an order."""
    shown = f"{order_id} {address.street} {address.zip_code} {count} {color.name} {note}"
    return {"shown": shown}


@tool
def receipt(order_id: str) -> Receipt:
    """Give a receipt."""
    return Receipt(order_id=order_id, total=12.0)


@tool(infer_schema=False)
def legacy_decorated(text: str) -> str:
    """Shout, the legacy way."""
    return text.upper()


legacy = Tool(name="legacy", func=lambda text: text[::-1], description="Reverse a text.")

from_dict = StructuredTool(
    name="from_dict",
    description="Schema as a dict.",
    args_schema={"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]},
    func=lambda x: x * 2,
)

from_function = StructuredTool.from_function(
    func=lambda query: f"sync {query}",
    name="from function!",
    description="A name that is not legal.",
)


class Subclass(BaseTool):
    name: str = "subclass"
    description: str = "No args_schema."
    calls: list[str] = Field(default_factory=list)

    def _run(self, city: str, days: int = 3, run_manager: Any = None) -> list[str]:
        self.calls.append(city)
        return [f"{city} {day}" for day in range(days)]


class AsyncOnly(BaseTool):
    name: str = "async_only"
    description: str = "Has only _arun."

    def _run(self, text: str) -> str:
        raise NotImplementedError

    async def _arun(self, text: str) -> str:
        return f"async {text}"


@tool
def variadic(x: int, *args: int, **kwargs: str) -> int:
    """Take anything."""
    return x


@tool
def no_arguments() -> str:
    """Take nothing."""
    return "nothing"


@tool
def whose(x: int, user_id: Annotated[str, InjectedToolArg]) -> str:
    """Read something of a user."""
    return f"{x} of {user_id}"


@tool
def with_call_id(x: int, tool_call_id: Annotated[str, InjectedToolCallId]) -> ToolMessage:
    """Build the message by hand."""
    return ToolMessage(f"x is {x}", tool_call_id=tool_call_id)


@tool
def with_config(x: int, config: RunnableConfig) -> str:
    """Read the config."""
    return f"{x} {'callbacks' in config}"


@tool(response_format="content_and_artifact")
def with_artifact(x: int) -> tuple[str, Weather]:
    """Return text for the model and data for the program."""
    return f"{x} degrees", {"city": "Gent", "degrees": float(x)}


@tool
def counting(upto: int) -> Iterator[int]:
    """Count."""
    yield from range(upto)


@tool
async def counting_slowly(upto: int) -> AsyncIterator[str]:
    """Count, giving way in between."""
    for number in range(upto):
        await asyncio.sleep(0)
        yield f"n{number}"


@tool
def fails(text: str) -> str:
    """Fail."""
    raise ValueError(f"cannot {text}")


@tool
def exits() -> str:
    """Try to end the process."""
    sys.exit(3)


def _handled(text: str) -> str:
    raise ToolException(f"handled {text}")


handled = StructuredTool.from_function(
    func=_handled, name="handled", description="Fails and says so.", handle_tool_error=True
)


@tool
def blocks(kind: Literal["openai", "anthropic", "v1"]) -> list[dict[str, Any]]:
    """Return content blocks."""
    image = {
        "openai": {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        "anthropic": {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"},
        },
        "v1": {"type": "image", "base64": "AAAA", "mime_type": "image/gif"},
    }[kind]
    return [{"type": "text", "text": "look"}, image]


@dataclass
class Point:
    x: int
    y: float


@tool
def odd_values() -> dict[str, Any]:
    """Return what JSON has no form for."""
    return {
        "nan": float("nan"),
        "big": 2**70,
        "bytes": b"\xff\xfe",
        "set": {3, 1, 2},
        "date": date(2024, 2, 29),
        "enum": Color.BLUE,
        "point": Point(1, 2.0),
        "document": Document(page_content="text", metadata={"k": 1}),
        ("a", 1): "tuple key",
    }


@tool
def noisy(text: str) -> str:
    """Write to stdout in every way."""
    print("printed", text)
    os.system("echo from a child process")
    os.write(1, b"raw bytes\n")
    return text


@tool
def reads_stdin() -> str:
    """Ask a person."""
    return input("really? ")


class Kit(BaseToolkit):
    def get_tools(self) -> list[BaseTool]:
        return [add, legacy]


def plain(name: str, times: int = 1) -> str:
    """Greet somebody."""
    return ", ".join([f"hello {name}"] * times)


class Root(BaseModel):
    a: int


@tool
def positional(a: int, /) -> int:
    """Take it by position."""
    return a


@tool
def takes_config(config: str) -> str:
    """Have a parameter with a reserved name."""
    return config


ALL: list[Any] = [
    add, weather, place_order, receipt, legacy_decorated, legacy, from_dict, from_function,
    Subclass(), AsyncOnly(), variadic, no_arguments, whose, with_call_id, with_config,
    with_artifact, counting, counting_slowly, fails, exits, handled, blocks, odd_values,
    noisy, reads_stdin, plain, RunnableLambda(len).as_tool(name="as_tool", description="Length.",
    arg_types={"text": str}),
]  # fmt: skip

BAD: list[Any] = [
    {"type": "web_search", "name": "web_search"},
    positional,
    takes_config,
    RunnableLambda(len),
    42,
]
