"""Chains that use tools in every way a chain can."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime, timezone
from decimal import Decimal
from typing import Annotated, Any

from langchain_core.runnables import RunnableLambda, RunnableParallel
from langchain_core.tools import BaseTool, InjectedToolArg, ToolException, tool
from pydantic import BaseModel, Field

WRITTEN: list[str] = []


class NoSuchOrder(ToolException):
    """A tool's own error class, with a constructor of its own."""

    def __init__(self, order: str, hint: str) -> None:
        super().__init__(f"no order {order}; {hint}")


@tool
def find(key: str, exact: bool = True) -> dict[str, Any]:
    """Look something up."""
    return {"key": key, "score": 1.0, "exact": exact}


@tool
def save(key: str) -> str:
    """Write something."""
    WRITTEN.append(key)
    return f"saved {key}"


@tool
async def save_async(key: str) -> str:
    """Write something, asynchronously."""
    WRITTEN.append(key)
    return f"saved {key}"


@tool
def find_order(order: str) -> str:
    """Find an order."""
    raise NoSuchOrder(order, "ask again")


@tool
def lookup(key: str) -> str:
    """Raise what dictionaries raise."""
    return {}[key]


@tool(response_format="content_and_artifact")
def measure(key: str) -> tuple[str, list[int]]:
    """Give text and data."""
    return f"measured {key}", [len(key)]


@tool
def returns_tuple(key: str) -> Any:
    """Return what JSON cannot carry, and do not say so."""
    return key, key


class Parcel(BaseModel):
    key: str
    sent: datetime
    price: Decimal
    size: tuple[int, int]


SENT = datetime(2026, 1, 2, 3, 4, tzinfo=timezone.utc)


@tool
def parcel(key: str) -> Parcel:
    """Return a model."""
    return Parcel(key=key, sent=SENT, price=Decimal("1.10"), size=(1, 2))


@tool
def parcels(key: str) -> list[Parcel] | None:
    """Return models in a list."""
    return [parcel.func(key)]  # pyright: ignore[reportAttributeAccessIssue]


@tool
def sent_at(key: str) -> datetime:
    """Return an instant."""
    return SENT


@tool
def lies(key: str) -> Parcel:
    """Promise a model and return data."""
    return {"key": key, "sent": "2026-01-02T03:04:00Z", "price": "1.10", "size": [1, 2]}  # type: ignore[return-value]


@tool
def outer(key: str) -> str:
    """Call another tool inside."""
    return f"outer {save.invoke({'key': key})}"


@tool
def for_user(key: str, user_id: Annotated[str, InjectedToolArg]) -> str:
    """Take an argument that the chain injects."""
    return f"{key} for {user_id}"


class AliasedInput(BaseModel):
    order_id: str = Field(alias="orderId")


class Aliased(BaseTool):
    name: str = "aliased"
    description: str = "Has an alias."
    args_schema: type[BaseModel] = AliasedInput

    def _run(self, order_id: str) -> str:
        return f"aliased {order_id}"


aliased = Aliased()

find_then_save = RunnableLambda(
    lambda key: f"{save.invoke({'key': key})}, score {find.invoke({'key': key})['score']}"
)

parallel = RunnableParallel(
    a=RunnableLambda(lambda key: find.invoke({"key": f"{key}-a"})["key"]),
    b=RunnableLambda(lambda key: find.invoke({"key": f"{key}-b"})["key"]),
)


async def async_save(key: str) -> Any:
    await asyncio.sleep(0)
    return await save_async.ainvoke({"key": key})


def plain_function(key: str) -> str:
    return save.invoke({"key": key})


def in_a_thread_with_context(key: str) -> str:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(copy_context().run, save.invoke, {"key": key}).result()


def in_a_thread_without_context(key: str) -> str:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(save.invoke, {"key": key}).result()


def catches_its_own_error(order: str) -> str:
    try:
        return find_order.invoke({"order": order})
    except NoSuchOrder as error:
        return f"caught {error}"


def catches_a_key_error(key: str) -> str:
    try:
        return lookup.invoke({"key": key})
    except KeyError as error:
        return f"caught {error!s}"


def catches_everything(key: str) -> str:
    try:
        return save.invoke({"key": key})
    except Exception as error:
        return f"went on after {type(error).__name__}"


def with_artifact(key: str) -> Any:
    call = {"type": "tool_call", "id": "1", "name": "measure", "args": {"key": key}}
    message = measure.invoke(call)
    return [message.content, message.artifact]


def uses_tuple(key: str) -> list[str]:
    return list(returns_tuple.invoke({"key": key}))


def uses_models(key: str) -> list[Any]:
    one, more = parcel.invoke({"key": key}), parcels.invoke({"key": key})
    at = sent_at.invoke({"key": key})
    return [type(one).__name__, str(one.price + more[0].price), (at - one.sent).total_seconds()]


def uses_lies(key: str) -> str:
    return lies.invoke({"key": key})["price"]


def uses_outer(key: str) -> str:
    return outer.invoke({"key": key})


def uses_alias(key: str) -> str:
    return aliased.invoke({"orderId": key})


def injects(key: str) -> str:
    return for_user.invoke({"key": key, "user_id": "ada"})


def changes_what_it_got(key: str) -> int:
    first = find.invoke({"key": key})
    first["key"] = "changed"
    second = find.invoke({"key": key})
    return [first["key"], second["key"]]


STARTED = threading.Event()
RELEASED = threading.Event()


def hangs(key: str) -> str:
    save.invoke({"key": f"{key} before"})
    STARTED.set()
    RELEASED.wait(10)
    return save.invoke({"key": f"{key} after"})


def exits(_: Any) -> None:
    raise SystemExit(4)
