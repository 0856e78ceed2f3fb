"""Chains that read what nobody recorded, in every way a chain can call a tool."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from langchain_core.runnables import RunnableLambda
from langchain_core.tools import BaseTool, tool
from pydantic import BaseModel, Field


def _live(value: Any) -> Any:
    """What a tool returns where it may run."""
    if os.environ.get("TWINTRACK_ROLE") == "shadow":
        raise AssertionError("a tool was run in a shadow")
    return value


class PriceInput(BaseModel):
    n: int
    currency: str = "EUR"


class PriceTool(BaseTool):
    name: str = "price"
    description: str = "The price of n pieces."
    args_schema: type[BaseModel] = PriceInput

    def _run(self, n: int, currency: str) -> dict[str, Any]:
        return _live({"cents": n * 100, "currency": currency})


price = PriceTool()


class WeightInput(BaseModel):
    pieces: int = Field(alias="n")


@tool(args_schema=WeightInput)
async def weight(pieces: int) -> dict[str, Any]:
    """The weight of n pieces."""
    return _live({"grams": pieces * 10})


@tool(response_format="content_and_artifact")
def measure(key: str) -> tuple[str, list[int]]:
    """Text and data."""
    return _live((key, [len(key)]))


@tool
def pay(n: int) -> str:
    """Take money."""
    return _live(f"paid {n}")


tools = [price, weight, pay]


def in_thread(n: int) -> Any:
    return price.invoke({"n": n})


async def on_loop(n: int) -> Any:
    return await weight.ainvoke({"n": n})


async def sync_tool_awaited(n: int) -> Any:
    return await price.ainvoke({"n": n})


async def blocking_the_loop(n: int) -> Any:
    return price.invoke({"n": n})


def in_its_own_thread(n: int) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(copy_context().run, price.invoke, {"n": n}).result()


in_a_runnable = RunnableLambda(in_thread)


async def many(n: int) -> list[Any]:
    return list(await asyncio.gather(*(weight.ainvoke({"n": one}) for one in range(n))))


def measures(key: str) -> list[Any]:
    call = {"type": "tool_call", "id": "1", "name": "measure", "args": {"key": key}}
    message = measure.invoke(call)
    return [message.content, message.artifact]


def changes_what_it_got(n: int) -> Any:
    first = price.invoke({"n": n})
    first["cents"] = -1
    return first


def pays(n: int) -> Any:
    return pay.invoke({"n": n})


def swallows(n: int) -> str:
    try:
        return str(price.invoke({"n": n}))
    except Exception as error:
        return f"went on after {type(error).__name__}"


async def swallows_async(n: int) -> str:
    try:
        return str(await weight.ainvoke({"n": n}))
    except Exception as error:
        return f"went on after {type(error).__name__}"


def says_much(megabytes: int) -> str:
    try:
        return measure.invoke({"key": "x" * (megabytes * 1_000_000)})
    except Exception as error:
        return f"went on after {type(error).__name__}"


CHAINS: dict[str, Callable[[Any], Any]] = {
    "in_thread": in_thread,
    "on_loop": on_loop,
    "sync_tool_awaited": sync_tool_awaited,
    "blocking_the_loop": blocking_the_loop,
    "in_its_own_thread": in_its_own_thread,
    "in_a_runnable": in_a_runnable.invoke,
    "many": many,
    "measures": measures,
    "changes_what_it_got": changes_what_it_got,
    "pays": pays,
    "swallows": swallows,
    "swallows_async": swallows_async,
    "says_much": says_much,
    "pid": lambda _: os.getpid(),
}


async def chosen(given: dict[str, Any]) -> Any:
    """The chain that the input names."""
    chain = CHAINS[given["chain"]]
    if asyncio.iscoroutinefunction(chain):
        return await chain(given["with"])
    return await asyncio.to_thread(chain, given["with"])


def _moved(n: int) -> int:
    """Something else where it runs a second time: the first run is to answer."""
    return n + 1 if os.environ.get("TWINTRACK_ROLE") == "shadow" else n


def moody(given: dict[str, int]) -> Any:
    return price.invoke({"n": _moved(given["n"])})


async def moody_async(given: dict[str, int]) -> Any:
    return await weight.ainvoke({"n": _moved(given["n"])})


def moody_payer(given: dict[str, int]) -> dict[str, int]:
    try:
        pay.invoke({"n": _moved(given["n"])})
    except Exception:
        return given
    return given
