"""Tools of people whose ids have 64 bits."""

from langchain_core.tools import tool
from pydantic import BaseModel


class Order(BaseModel):
    id: int
    next: int
    history: list[int]


@tool
def order(id: int, step: int = 1) -> Order:
    """Find an order and the one after it."""
    return Order(id=id, next=id + step, history=[id - 1, id])


def chain(asked: dict[str, int]) -> dict[str, int]:
    """Find the order after the one that is asked for."""
    return {"next": order.invoke({"id": asked["id"]}).next}


TOOLS = [order]
