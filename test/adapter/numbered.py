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


TOOLS = [order]
