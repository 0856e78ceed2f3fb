"""The official client of mcp 1.x: lists the tools of a stdio server and makes the calls on stdin.

Usage: mcp1_client.py COMMAND [ARGUMENT …] < {"calls": [["name", {…}], …]}
"""

import asyncio
import json
import os
import sys
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main(command: str, arguments: list[str]) -> dict[str, Any]:
    """What the server listed and answered."""
    calls = json.load(sys.stdin)["calls"]
    server = StdioServerParameters(command=command, args=arguments, env=dict(os.environ))
    told: list[tuple[float, str | None]] = []

    async def progress(done: float, _total: float | None, message: str | None) -> None:
        told.append((done, message))

    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        started = await session.initialize()
        tools = (await session.list_tools()).tools
        results = [
            await session.call_tool(name, arguments, progress_callback=progress)
            for name, arguments in calls
        ]
    return {
        "protocolVersion": started.protocolVersion,
        "tools": [tool.model_dump(by_alias=True, exclude_none=True) for tool in tools],
        "results": [result.model_dump(by_alias=True, exclude_none=True) for result in results],
        "progress": told,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2:]))))
