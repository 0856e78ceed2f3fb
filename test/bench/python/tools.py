"""The tools under test, as any team would write them."""

import time

from langchain_core.tools import tool


@tool
def quote(order_id: str, quantity: int, note: str = "") -> str:
    """The price of an order."""
    return f"{order_id}: {quantity * 1295}"


@tool
def doze(milliseconds: int) -> str:
    """Wait without the interpreter's lock."""
    time.sleep(milliseconds / 1000)
    return "awake"


ALL = [quote, doze]
