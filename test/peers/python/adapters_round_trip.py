"""langchain-mcp-adapters: the tools of a stdio server as LangChain tools again, and their answers.

Usage: adapters_round_trip.py COMMAND [ARGUMENT …] < {"calls": [["name", {…}], …]}
"""

import asyncio
import json
import os
import sys
from typing import Any

from langchain_core.messages import ToolMessage
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools


async def main(command: str, arguments: list[str]) -> list[dict[str, Any]]:
    """Status, content and artifact of each call."""
    calls = json.load(sys.stdin)["calls"]
    connection = {
        "transport": "stdio",
        "command": command,
        "args": arguments,
        "env": dict(os.environ),
    }
    client = MultiServerMCPClient({"bridge": connection})
    async with client.session("bridge") as session:
        tools = {tool.name: tool for tool in await load_mcp_tools(session)}
        return [await _call(tools[name], arguments) for name, arguments in calls]


async def _call(tool: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    envelope = {"type": "tool_call", "id": "1", "name": tool.name, "args": arguments}
    message: ToolMessage = await tool.ainvoke(envelope)
    return {
        "status": message.status,
        "content": message.content,
        "artifact": message.artifact,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2:]))))
