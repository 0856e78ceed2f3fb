"""Official clients and the bridge, with no Node between them."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from mcp import Client, StdioServerParameters

from twintrack_bridge.loading import load_tools

HERE = Path(__file__).parent
PEERS = HERE.parent.parent / "test" / "peers"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent / "src"), str(HERE)])}

Calls = list[tuple[str, dict[str, Any]]]

CALLS: Calls = [
    ("add", {"a": 1}),
    ("weather", {"city": "Gent"}),
    ("with_artifact", {"x": 5}),
    ("counting", {"upto": 2}),
    ("legacy", {"tool_input": "abc"}),
    ("fails", {"text": "do"}),
    ("add", {"a": "many"}),
    ("blocks", {"kind": "v1"}),
]


def arguments_for(*targets: str) -> list[str]:
    return ["-m", "twintrack_bridge", *targets]


def peer(script: str, targets: list[str], calls: Calls, **environment: str) -> Any:
    """Run a script of test/peers/python, in the environment that has mcp 1."""
    interpreter = PEERS / ".venv" / "bin" / "python"
    assert interpreter.exists(), "not installed: node bootstrap.mjs --test"
    done = subprocess.run(
        [interpreter, PEERS / "python" / script, sys.executable, *arguments_for(*targets)],
        input=json.dumps({"calls": calls}),
        capture_output=True,
        text=True,
        env={**ENVIRONMENT, **environment},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def _with_mcp2(mode: Any, targets: list[str], calls: Calls) -> dict[str, Any]:
    server = StdioServerParameters(
        command=sys.executable, args=arguments_for(*targets), env=ENVIRONMENT
    )
    told: list[Any] = []

    async def progress(done: float, _total: float | None, message: str | None) -> None:
        told.append((done, message))

    async with Client(server, mode=mode) as client:
        tools = (await client.list_tools()).tools
        results = [await client.call_tool(n, a, progress_callback=progress) for n, a in calls]
        version = client.protocol_version
    return {
        "protocolVersion": version,
        "tools": [tool.model_dump(by_alias=True, exclude_none=True) for tool in tools],
        "results": [one.model_dump(by_alias=True, exclude_none=True) for one in results],
        "progress": told,
    }


def check(seen: dict[str, Any]) -> None:
    assert {"add", "weather", "whose"} <= {tool["name"] for tool in seen["tools"]}
    results = seen["results"]
    shown = [result["content"][0].get("text") for result in results]
    assert shown[:5] == ["3", '{"city":"Gent","degrees":21.5}', "5 degrees", "[0,1]", "cba"]
    assert [bool(result["isError"]) for result in results] == [False] * 5 + [True, True, False]
    assert results[2]["structuredContent"] == {"city": "Gent", "degrees": 5.0}
    assert results[7]["content"][1]["mimeType"] == "image/gif"
    assert [done for done, _ in seen["progress"]] == [1, 2]


@pytest.mark.parametrize(
    ("mode", "version"),
    [("auto", "2026-07-28"), ("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28")],
)
def test_the_official_client_of_mcp_2_lists_and_calls(mode: str, version: str) -> None:
    seen = asyncio.run(_with_mcp2(mode, ["shapes:ALL"], CALLS))
    assert seen["protocolVersion"] == version
    check(seen)


def test_the_official_client_of_mcp_1_lists_and_calls() -> None:
    seen = peer("mcp1_client.py", ["shapes:ALL"], CALLS)
    assert seen["protocolVersion"] == "2025-11-25"
    check(seen)


def direct(targets: list[str], calls: Calls) -> list[ToolMessage]:
    """What LangChain itself gives for the same calls, in this process."""
    tools = {str(tool.name): tool for tool in load_tools(targets)}
    messages: list[ToolMessage] = []
    for name, args in calls:
        given = {"type": "tool_call", "id": "1", "name": name, "args": dict(args)}
        try:
            messages.append(asyncio.run(tools[name].ainvoke(given)))
        except Exception as error:
            messages.append(ToolMessage(str(error), tool_call_id="1", status="error"))
    return messages


def text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(one if isinstance(one, str) else one.get("text", "") for one in content)


def same(one: str, other: str) -> bool:
    """Equal, or the same JSON: LangChain puts spaces into its JSON texts."""
    try:
        return json.loads(one) == json.loads(other)
    except ValueError:
        return one == other


def test_langchain_mcp_adapters_gives_back_what_direct_invoke_gives() -> None:
    calls = [call for call in CALLS if call[0] != "counting"]  # LangChain shows a generator's repr.
    seen = peer("adapters_round_trip.py", ["shapes:ALL"], calls)
    for (name, _), back, expected in zip(calls, seen, direct(["shapes:ALL"], calls), strict=True):
        assert back["status"] == expected.status, name
        assert same(text_of(back["content"]), text_of(expected.content)), name
        if expected.artifact is not None:
            assert back["artifact"] == {"structured_content": expected.artifact}
    image = seen[-1]["content"][1]
    assert (image["type"], image["base64"], image["mime_type"]) == ("image", "AAAA", "image/gif")


#: In order: later ones see what earlier ones wrote.
COMMUNITY_CALLS: Calls = [
    ("write_file", {"file_path": "a/b.txt", "text": "one\ntwo"}),
    ("write_file", {"file_path": "a/b.txt", "text": "\nthree", "append": True}),
    ("read_file", {"file_path": "a/b.txt"}),
    ("read_file", {"file_path": "nowhere.txt"}),
    ("read_file", {"file_path": "../outside.txt"}),
    ("copy_file", {"source_path": "a/b.txt", "destination_path": "c.txt"}),
    ("move_file", {"source_path": "c.txt", "destination_path": "d.txt"}),
    ("list_directory", {}),
    ("file_search", {"pattern": "*.txt", "dir_path": "a"}),
    ("file_delete", {"file_path": "d.txt"}),
    ("list_directory", {"dir_path": "."}),
    ("json_spec_list_keys", {"tool_input": "data"}),
    ("json_spec_get_value", {"tool_input": 'data["orders"][0]["cents"]'}),
    ("json_spec_get_value", {"tool_input": 'data["nowhere"]'}),
    ("pages", {"query": "page 3"}),
    ("sql_db_list_tables", {}),
    ("sql_db_schema", {"table_names": "orders"}),
    ("sql_db_query", {"query": "select * from orders order by id"}),
    ("sql_db_query", {"query": "select nonsense"}),
    ("sleep", {"sleep_time": 0}),
]


def test_the_offline_tools_of_langchain_community_give_what_direct_calls_give(
    tmp_path: Path,
) -> None:
    ours, theirs = str(tmp_path / "ours"), str(tmp_path / "theirs")
    seen = peer("mcp1_client.py", ["community:TOOLS"], COMMUNITY_CALLS, COMMUNITY_ROOT=_made(ours))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", HERE / "test_clients.py"],
        capture_output=True,
        text=True,
        env={**ENVIRONMENT, "COMMUNITY_ROOT": _made(theirs)},
        timeout=120,
        check=True,
    )

    assert len(seen["tools"]) == 15
    told = zip(COMMUNITY_CALLS, seen["results"], json.loads(done.stdout), strict=True)
    for (name, args), result, (status, said) in told:
        shown = "\n".join(block["text"] for block in result["content"]).replace(ours, theirs)
        assert same(shown, said), f"{name} {args}"
        assert result["isError"] is (status == "error"), name


def _made(folder: str) -> str:
    Path(folder).mkdir()
    return folder


def test_a_tool_that_asks_a_person_meets_the_end_of_stdin_and_hides_nothing() -> None:
    calls: Calls = [("human", {"query": "sure?"}), ("sleep", {"sleep_time": 0})]
    seen = peer("mcp1_client.py", ["community:TOOLS"], calls)
    human, sleep = seen["results"]
    assert human["isError"] is True
    assert "EOF" in human["content"][0]["text"]
    assert sleep["isError"] is False


if __name__ == "__main__":  # The direct calls, in a process whose folder is its own.
    messages = direct(["community:TOOLS"], COMMUNITY_CALLS)
    print(json.dumps([[message.status, text_of(message.content)] for message in messages]))
