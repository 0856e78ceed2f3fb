"""The official Python client: lists the tools of a server and calls each, and prints it all as JSON."""

import asyncio
import json
import sys
from typing import Any

from mcp import Client


async def main(url: str, mode: str, calls: dict[str, Any]) -> None:
    async with Client(url, mode=mode) as client:
        listed = await client.list_tools()
        results = {
            name: (await client.call_tool(name, call["args"])).model_dump(
                mode="json", by_alias=True
            )
            for name, call in calls.items()
        }
        tools = [tool.model_dump(mode="json", by_alias=True) for tool in listed.tools]
        print(json.dumps({"tools": tools, "results": results}))


asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
