"""Tools that do not come back."""

import subprocess
import sys
import time

from langchain_core.tools import tool


@tool
def hang() -> str:
    """Never return."""
    sys.stderr.write("hanging\n")
    time.sleep(1_000)
    return "never"


@tool
def spawn() -> str:
    """Start a process that would outlive us."""
    return str(subprocess.Popen(["sleep", "1000"]).pid)
