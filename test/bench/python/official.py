"""The same tools behind the official mcp package's low-level server."""

import asyncio
from typing import Any

import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from tools import ALL

TOOLS = {tool.name: tool for tool in ALL}
LISTED = [
    types.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=tool.tool_call_schema.model_json_schema(),
    )
    for tool in ALL
]


async def list_tools(_context: Any, _params: Any) -> types.ListToolsResult:
    return types.ListToolsResult(tools=LISTED)


async def call_tool(_context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
    call = {"type": "tool_call", "id": "1", "name": params.name, "args": params.arguments or {}}
    message = await TOOLS[params.name].ainvoke(call)
    return types.CallToolResult(content=[types.TextContent(text=str(message.content))])


async def main() -> None:
    server = Server("official", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


asyncio.run(main())
