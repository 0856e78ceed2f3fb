"""The shapes that are easy to get wrong: aliases, injection, handlers, hand-made messages."""

import datetime
import decimal
import pathlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from enum import Enum
from typing import Annotated, Any, Literal

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import (
    BaseTool,
    InjectedToolArg,
    InjectedToolCallId,
    StructuredTool,
    Tool,
    ToolException,
    create_retriever_tool,
    tool,
)
from langchain_core.vectorstores import InMemoryVectorStore
from langgraph.prebuilt import InjectedState, InjectedStore, ToolRuntime
from langgraph.types import Command, Send, interrupt
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.v1 import BaseModel as BaseModelV1
from pydantic.v1 import Field as FieldV1
from typing_extensions import TypedDict

# Aliases.


class Spelt(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    one: int = Field(alias="oneOf")
    two: int = Field(validation_alias="twoOf")
    three: int = Field(3, validation_alias=AliasChoices("threeOf", "three_of"))
    four: int = Field(validation_alias=AliasPath("inside", "four"))
    five: str = Field("none", validation_alias=AliasPath("inside", "list", 1))


@tool(args_schema=Spelt)
def spelt(one: int, two: int, three: int, four: int, five: str) -> list[Any]:
    """Spell in every way."""
    return [one, two, three, four, five]


class Old(BaseModelV1):
    order: str = FieldV1(alias="orderId")
    pair: tuple[int, str] = FieldV1((1, "a"))
    nested: "list[OldItem]" = FieldV1(default_factory=list)


class OldItem(BaseModelV1):
    sku: str


Old.update_forward_refs(OldItem=OldItem)


@tool(args_schema=Old)
def pydantic_1(order: str, pair: tuple[int, str], nested: list[OldItem]) -> str:
    """Take a model of pydantic 1."""
    return f"{order} {pair} {[item.sku for item in nested]}"


class Node(BaseModel):
    name: str
    children: list["Node"] = []


@tool(args_schema=Node)
def recursive(name: str, children: list[Node]) -> int:
    """Count nodes."""

    def count(nodes: list[Node]) -> int:
        return sum(1 + count(node.children) for node in nodes)

    return 1 + count(children)


class Loose(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=2)]
    by_number: dict[int, str] = {}
    hook: Callable[[], None] | None = None
    path: np.ndarray | None = None


@tool(args_schema=Loose)
def loose(text: str, by_number: dict[int, str], hook: Any, path: Any) -> str:
    """Have arguments that JSON cannot fill."""
    return f"{text} {by_number} {hook} {path}"


@tool
def only_python(matrix: np.ndarray) -> str:
    """Take what JSON cannot carry."""
    return str(matrix)


either = StructuredTool(
    name="either",
    description="A union at the root.",
    args_schema={
        "$defs": {"a": {"required": ["a"], "properties": {"a": {"type": "integer"}}}},
        "anyOf": [{"$ref": "#/$defs/a"}, {"required": ["b"], "properties": {"b": {}}}],
    },
    func=lambda **kwargs: sorted(kwargs),
)

checked = StructuredTool(
    name="checked",
    description="A dict that nobody else checks.",
    args_schema={
        "type": "object",
        "properties": {"x": {"type": "integer", "minimum": 1}},
        "required": ["x"],
        "additionalProperties": False,
    },
    func=lambda x: x,
    handle_validation_error=True,
)


class Unparsed(BaseTool):
    name: str = "unparsed"
    description: str = "No args_schema, so LangChain checks nothing."

    def _run(self, days: int, city: str = "Gent") -> str:
        return f"{city} {days!r}"


class Both(BaseTool):
    name: str = "both"
    description: str = "A stub for sync, the parameters at async."

    def _run(self, *args: Any, **kwargs: Any) -> str:
        raise NotImplementedError

    async def _arun(self, city: str, days: int = 1) -> str:
        return f"async {city} {days}"


def _sync(x: int) -> str:
    return f"sync {x}"


async def _async(x: int) -> str:
    return f"async {x}"


func_and_coroutine = StructuredTool.from_function(
    func=_sync, coroutine=_async, name="func_and_coroutine", description="Both."
)
only_coroutine = StructuredTool.from_function(
    coroutine=_async, name="only_coroutine", description="Only async."
)
returns_awaitable = StructuredTool.from_function(
    func=lambda x: _async(x), name="returns_awaitable", description="Sync, but to be awaited."
)


@tool
class Constructed(BaseModel):
    """A class as a tool."""

    x: int
    y: str = "why"


class Doubled(BaseModel):
    a: int


on_runnable = tool(
    "on_runnable", RunnableLambda(lambda given: given["a"] * 2).with_types(input_type=Doubled)
)

text_as_tool = (
    RunnableLambda(lambda text: text.upper())
    .with_types(input_type=str)
    .as_tool(name="text_as_tool", description="A string runnable.")
)

legacy_with_schema = Tool(
    name="legacy_with_schema",
    func=lambda query: query * 2,
    description="A legacy tool with a schema.",
    args_schema=type("Query", (BaseModel,), {"__annotations__": {"query": str}}),
)

_STORE = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
_STORE.add_documents([Document("first page", id="1"), Document("second page", id="2")])
retriever = create_retriever_tool(_STORE.as_retriever(), "retriever", "Find pages.")
retriever_pair = create_retriever_tool(
    _STORE.as_retriever(), "retriever_pair", "Find pages.", response_format="content_and_artifact"
)


async def _remote(**arguments: Any) -> tuple[list[dict[str, Any]], dict[str, int]]:
    return [{"type": "text", "text": arguments["city"]}], {"n": len(arguments)}


#: The shape of a tool that langchain-mcp-adapters makes of an MCP server's.
as_adapters_make_it = StructuredTool(
    name="as_adapters_make_it",
    description="Remote.",
    args_schema={
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
    coroutine=_remote,
    response_format="content_and_artifact",
)

# Reserved names and parameters that never arrive.


@tool
def takes_run_manager(run_manager: str) -> str:
    """LangChain keeps the name."""
    return run_manager


@tool
def takes_args(args: list[int], kwargs: dict[str, int]) -> str:
    """Pydantic keeps the names."""
    return f"{args} {kwargs}"


@tool
def takes_underscore(_hidden: int) -> int:
    """Pydantic takes it for private."""
    return _hidden


@tool
def keeps_callbacks(x: int, callbacks: Any = None) -> str:
    """LangChain fills callbacks."""
    return f"{x} {type(callbacks).__name__}"


@tool
def variadic_more(x: int, *args: int, **kwargs: int) -> str:
    """Take more than a schema can say."""
    return f"{x} {args} {kwargs}"


config_in_dict = StructuredTool(
    name="config_in_dict",
    description="LangChain takes the name.",
    args_schema={"type": "object", "properties": {"config": {"type": "string"}}},
    func=lambda config="unset": config,
)

# Injection.


class Hidden(BaseModel):
    x: int
    user: Annotated[str, InjectedToolArg] = Field(validation_alias=AliasChoices("who", "whoever"))


@tool(args_schema=Hidden)
def hidden(x: int, user: str) -> str:
    """Hide an argument in the schema."""
    return f"{x} {user}"


class HiddenOld(BaseModelV1):
    x: int
    user: Annotated[str, InjectedToolArg]


@tool(args_schema=HiddenOld)
def hidden_old(x: int, user: str) -> str:
    """Hide one with pydantic 1."""
    return f"{x} {user}"


@tool
def stateful(x: int, state: Annotated[dict[str, Any], InjectedState]) -> str:
    """Read the graph's state."""
    return f"{x} {state['a']}"


@tool
def part_of_state(x: int, a: Annotated[int, InjectedState("a")]) -> str:
    """Read a part of the graph's state."""
    return f"{x} {a}"


@tool
def stored(x: int, store: Annotated[Any, InjectedStore()]) -> str:
    """Read the graph's store."""
    return f"{x} {store.mget([('n',)])}" if hasattr(store, "mget") else f"{x} {store}"


class Context(BaseModel):
    user: str


class State(TypedDict):
    count: int


@tool
def with_runtime(x: int, runtime: ToolRuntime[Context, State]) -> str:
    """Use the runtime."""
    runtime.stream_writer("writing")
    has_id = runtime.tool_call_id.startswith("call_")
    return f"{x} {runtime.context.user} {runtime.state['count']} {has_id}"


class RuntimeMethod(BaseTool):
    name: str = "runtime_method"
    description: str = "Injection in a method."

    def _run(self, x: int, runtime: ToolRuntime) -> str:
        return f"{x} {runtime.state}"


@tool
def reads_trace(config: RunnableConfig) -> str:
    """Say the trace."""
    return str(config.get("metadata", {}).get("traceparent"))


# Failure.


def _raises(text: str) -> str:
    raise ToolException(*([text] if text else []))


def _handled(name: str, how: Any) -> StructuredTool:
    return StructuredTool.from_function(
        func=_raises, name=name, description="Raise.", handle_tool_error=how
    )


def _refused(name: str, how: Any) -> StructuredTool:
    return StructuredTool.from_function(
        func=_sync, name=name, description="Refuse.", handle_validation_error=how
    )


HANDLERS: list[Any] = [
    _handled("error_false", False),
    _handled("error_true", True),
    _handled("error_text", "sorry"),
    _handled("error_callable", lambda error: f"caught {error}"),
    _handled("error_blocks", lambda error: [{"type": "text", "text": f"block {error}"}]),
    _refused("invalid_false", False),
    _refused("invalid_true", True),
    _refused("invalid_text", "wrong"),
    _refused("invalid_callable", lambda error: f"{error.error_count()} wrong"),
]


@tool
def raises_group() -> str:
    """Raise something odd."""

    class Unprintable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    raise Unprintable


# Results.


@tool
def commands() -> Any:
    """Give an order to the graph."""
    return Command(update={"a": 1}, goto="next")


@tool
def command_list() -> Any:
    """Give orders to the graph."""
    return [ToolMessage("done", tool_call_id="x"), Command(goto="next")]


@tool
def sends() -> Any:
    """Send something on."""
    return Send("node", {"a": 1})


@tool
def interrupts(question: str) -> str:
    """Ask a person."""
    return interrupt(question)


@tool
async def interrupts_async(question: str) -> str:
    """Ask a person, awaited."""
    return interrupt(question)


@tool
def messages(status: Literal["success", "error"]) -> Any:
    """Build several messages."""
    made = [ToolMessage("one", tool_call_id="a"), ToolMessage("two", tool_call_id="b")]
    made[1].status = status
    return made


@tool
def message_with_artifact(tool_call_id: Annotated[str, InjectedToolCallId]) -> ToolMessage:
    """Build a message with data."""
    return ToolMessage("shown", artifact={"k": 1}, tool_call_id=tool_call_id)


@tool(response_format="content_and_artifact")
def not_a_pair() -> Any:
    """Forget the artifact."""
    return "only text"


@tool
def returning_generator(upto: int) -> Iterator[int]:
    """Count, and say how it went."""
    yield from range(upto)
    return "counted"


@tool(response_format="content_and_artifact")
def pair_generator() -> Iterator[Any]:
    """Report, then give content and artifact."""
    yield "working"
    yield "done", {"items": 1}


def _plain_async_generator(upto: int) -> AsyncIterator[int]:
    async def items() -> AsyncIterator[int]:
        for number in range(upto):
            yield number

    return items()


sync_to_async_generator = StructuredTool.from_function(
    func=_plain_async_generator, name="sync_to_async_generator", description="Hand one on."
)


class Shade(str, Enum):
    DARK = "dark"


ODD: dict[str, Any] = {
    "bytes": b"\xff",
    "set": {2, 1},
    "datetime": datetime.datetime(2024, 1, 2, 3, 4, 5),
    "timedelta": datetime.timedelta(hours=1),
    "enum": Shade.DARK,
    "document": Document("text"),
    "array": np.array([[1, 2], [3, 4]]),
    "scalar": np.float64(0.5),
    "big_scalar": np.int64(2**60),
    "nan_array": np.array([float("nan"), 1.0]),
    "nan": float("nan"),
    "inf": float("-inf"),
    "keys": {(1, 2): "a", None: "b", 1.5: "c"},
    "huge": 10**5000,
    "surrogate": "a\ud800b",
    "decimal": decimal.Decimal("NaN"),
    "uuid": uuid.UUID(int=1),
    "path": pathlib.Path("/a"),
    "generator": (number for number in range(3)),
    "object": object(),
    "type": int,
    "function": _sync,
    "exception": ValueError("x"),
    "range": range(3),
    "complex": 1 + 2j,
    "memory": memoryview(b"ab"),
}


@tool
def odd(kind: str) -> Any:
    """Return something odd."""
    return ODD[kind]


DEEP: list[Any] = []
_inner = DEEP
for _ in range(3_000):
    _inner.append([])
    _inner = _inner[0]
CYCLE: dict[str, Any] = {}
CYCLE["self"] = CYCLE
ODD |= {"deep": DEEP, "cycle": CYCLE}


class Awkward:
    def get_tools(self) -> list[Any]:
        raise RuntimeError("no licence")


class CallableObject:
    """Greets."""

    def __call__(self, name: str) -> str:
        return f"hello {name}"


callable_object = CallableObject()
broken_toolkit = Awkward()

GOOD: list[Any] = [
    spelt, pydantic_1, recursive, loose, either, checked, Unparsed(), Both(), func_and_coroutine,
    only_coroutine, returns_awaitable, Constructed, on_runnable, text_as_tool, legacy_with_schema,
    retriever, retriever_pair, as_adapters_make_it, keeps_callbacks, variadic_more, hidden,
    hidden_old, stateful, part_of_state, with_runtime, RuntimeMethod(), reads_trace, *HANDLERS,
    raises_group, commands, command_list, sends, interrupts, interrupts_async, messages,
    message_with_artifact, not_a_pair, returning_generator, pair_generator,
    sync_to_async_generator, odd, callable_object,
]  # fmt: skip

UNSUPPORTED: dict[str, str] = {
    "only_python": "matrix is of a Python type",
    "takes_run_manager": "run_manager is required, but LangChain never passes it",
    "takes_args": "args is required, but LangChain never passes it",
    "takes_underscore": "_hidden is required, but LangChain never passes it",
    "config_in_dict": 'may not be called "config"',
    "stored": "needs binding",
    "broken_toolkit": "no licence",
}

NEED_STORE: list[Any] = [stored]
INJECTED = {"store": "the store", "user": "bound"}
