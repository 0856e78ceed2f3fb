"""LangChain's own MCP client for Python: the tools of a server as LangChain tools, each called."""

import asyncio
import json
import sys
from typing import Any

from langchain_mcp_adapters.client import MultiServerMCPClient


async def main(url: str, calls: dict[str, Any]) -> None:
    client = MultiServerMCPClient(
        {"twintrack": {"url": url, "transport": "streamable_http"}}
    )
    tools = {tool.name: tool for tool in await client.get_tools()}
    results = {}
    for name, call in calls.items():
        message = await tools[name].ainvoke(
            {"type": "tool_call", "id": "1", "name": name, "args": call["args"]}
        )
        results[name] = {"content": message.content, "artifact": message.artifact}
    print(json.dumps({"tools": list(tools), "results": results}, default=str))


asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
