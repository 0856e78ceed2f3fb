"""A tool whose annotation promises what its function does not return."""

from langchain_core.tools import tool
from pydantic import BaseModel


class Total(BaseModel):
    cents: int


@tool
def total(lines: list[int]) -> Total:
    """The sum of the lines."""
    # The lie is what is tested.
    return {"cents": str(sum(lines))}  # pyright: ignore[reportReturnType]
