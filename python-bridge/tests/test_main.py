"""A process from its start to its end."""

import json
from collections.abc import Iterator

import pytest

from bridge import Bridge

ARGUMENTS = ("--chain", "chains:find_then_save", "shapes:ALL", "shapes:BAD")


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    started = Bridge(*ARGUMENTS)
    yield started
    started.kill()


@pytest.fixture(scope="module")
def calm() -> Iterator[Bridge]:
    """For tests that leave the process as they found it."""
    started = Bridge(*ARGUMENTS)
    yield started
    started.kill()


def test_it_speaks_the_2025_revisions_after_initialize(bridge: Bridge) -> None:
    answer = bridge.ask("initialize", protocolVersion="2025-06-18")["result"]
    assert answer["protocolVersion"] == "2025-06-18"
    assert answer["_meta"]["twintrack/bridge"]["langchain-core"]
    assert bridge.ask("initialize", protocolVersion="1999-01-01")["result"]["protocolVersion"]
    assert bridge.ask("ping", "text-id") == {"jsonrpc": "2.0", "id": "text-id", "result": {}}


def test_it_speaks_2026_without_initialize(calm: Bridge) -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    discovered = calm.ask("server/discover", _meta=meta)["result"]
    listed = calm.ask("tools/list", _meta=meta)["result"]
    refused = calm.ask("tools/list", _meta={next(iter(meta)): "2030-01-01"})["error"]

    assert "2026-07-28" in discovered["supportedVersions"]
    assert (discovered["resultType"], listed["resultType"]) == ("complete", "complete")
    assert refused["code"] == -32022
    assert refused["data"]["supported"] == ["2026-07-28"]


def test_unsupported_tools_are_listed_beside_the_others(calm: Bridge) -> None:
    listed = calm.ask("tools/list")["result"]
    assert "add" in {tool["name"] for tool in listed["tools"]}
    assert len(listed["_meta"]["twintrack/unsupported"]) == 5


def test_what_a_tool_prints_never_reaches_the_protocol(bridge: Bridge) -> None:
    assert bridge.call("noisy", text="hi")["content"][0]["text"] == "hi"
    status, stderr = bridge.close()
    assert status == 0
    for expected in ("printed hi", "from a child process", "raw bytes"):
        assert expected in stderr


def test_a_tool_that_reads_stdin_meets_its_end(calm: Bridge) -> None:
    result = calm.call("reads_stdin")
    assert result["_meta"]["twintrack/result"]["error"]["name"] == "EOFError"
    assert calm.ask("ping")["result"] == {}


def test_garbage_is_answered_with_errors_and_the_next_request_works(bridge: Bridge) -> None:
    corpus = [
        b"garbage\n",
        b"\xff\xfe\n",
        b"[]\n",
        b'{"jsonrpc":"2.0","id":null,"method":"ping"}\n',
        b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}\n',
        b'{"jsonrpc":"1.0","id":1,"method":"ping"}\n',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}\n',
        b'{"jsonrpc":"2.0","id":1,"method":"nope"}\n',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}\n',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"x"}}\n',
        b'{"jsonrpc":"2.0","id":8,"method":"' + b"x" * 5_000_000 + b'"}\n',
    ]
    for line in corpus:
        bridge.send(line)
        assert bridge.read()["error"]["code"] < 0
    bridge.send(b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n\r\n\n')
    assert bridge.ask("ping")["result"] == {}


def test_an_unknown_tool_is_an_error_of_the_protocol(calm: Bridge) -> None:
    error = calm.ask("tools/call", name="nope", arguments={})["error"]
    assert error["code"] == -32602
    assert error["data"] == {"code": "TOOL_UNKNOWN"}


def test_progress_is_sent_before_the_answer_when_it_was_asked_for(calm: Bridge) -> None:
    params = {"name": "counting", "arguments": {"upto": 2}, "_meta": {"progressToken": "t"}}
    first = calm.ask("tools/call", **params)
    frames = [first, calm.read(), calm.read()]
    assert [frame.get("params", {}).get("progress") for frame in frames] == [1, 2, None]


def test_a_chain_runs_over_the_wire(calm: Bridge) -> None:
    run = calm.ask("twintrack/chain/invoke", input="k", tools={"mode": "live"}, effects={})
    assert run["result"]["outcome"]["value"] == "saved k, score 1.0"
    assert len(run["result"]["calls"]) == 2


def test_python_code_named_on_the_command_line_fills_injected_arguments() -> None:
    bridge = Bridge("--inject", "gallery:INJECTED", "--threads=2", "gallery:NEED_STORE")
    assert bridge.call("stored", x=1)["content"][0]["text"] == "1 the store"
    assert bridge.call("stored", x=1, store="evil")["isError"] is True
    assert bridge.close()[0] == 0


def test_it_exits_with_all_it_started_when_stdin_ends_although_a_tool_hangs() -> None:
    bridge = Bridge("hanging:hang", "hanging:spawn")
    bridge.call("spawn")
    request = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "hang"}}
    bridge.send(json.dumps(request).encode() + b"\n")
    assert bridge.process.stderr
    assert bridge.process.stderr.readline() == b"hanging\n"

    # Returns only when the tool's own child process has let go of stderr as well.
    status, _ = bridge.close()

    assert status == 0


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["no_such_module:x"], 2, "No module named 'no_such_module'"),
        (["shapes:no_such_tool"], 2, "no attribute no_such_tool"),
        (["shapes"], 2, "package.module:attribute"),
        (["hanging:broken.x"], 2, "hanging has no attribute broken.x"),
        (["raises_on_import:x"], 2, "SystemExit"),
        ([], 2, "at least one"),
        (["--threads", "0", "shapes:add"], 2, "at least 1"),
        (["--max-frame-bytes", "many", "shapes:add"], 2, "not many"),
        (["--tools", "shapes:add"], 2, "no option --tools"),
        (["--chain"], 2, "needs a value"),
        (["--inject", "shapes:nobody", "shapes:add"], 2, "no attribute nobody"),
    ],
)
def test_a_target_that_cannot_be_loaded_ends_the_process_with_the_reason(
    arguments: list[str], status: int, said: str
) -> None:
    ended, stderr = Bridge(*arguments).close()
    assert ended == status
    assert said in stderr
