"""A tool that is another one in the next process: the file that TOOL_FORM names says which."""

import os
from pathlib import Path

from langchain_core.tools import StructuredTool, tool


def _pay(cents: int) -> str:
    return f"paid {cents}"


def _pay_to(cents: int, account: str) -> str:
    return f"paid {cents} to {account}"


@tool
def stable(text: str) -> str:
    """Return the text."""
    return text


@tool
def end() -> str:
    """End the process."""
    os._exit(1)


FORMS = {"first": [_pay], "second": [_pay_to], "gone": []}
FORM = Path(os.environ["TOOL_FORM"]).read_text()
TOOLS = [stable, end, *(StructuredTool.from_function(f, name="pay", description="Pay.") for f in FORMS[FORM])]
