"""The least that calls a LangChain tool: read a line, invoke, write its text; nothing else."""

import json
import sys

from tools import ALL

TOOLS = {tool.name: tool for tool in ALL}

for line in sys.stdin:
    request = json.loads(line)
    params = request["params"]
    call = {
        "type": "tool_call",
        "id": "1",
        "name": params["name"],
        "args": params["arguments"],
    }
    content = [{"type": "text", "text": TOOLS[params["name"]].invoke(call).content}]
    result = {"content": content, "isError": False}
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}) + "\n")
    sys.stdout.flush()
