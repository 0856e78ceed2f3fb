"""What a client may send, and what the server does with it."""

import gc
import json
import os
import select
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge import Bridge

MODERN = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Bridge]:
    started = Bridge("--max-result-bytes", "3000000", "limits:ALL", "shapes:add", "shapes:counting")
    yield started
    started.kill()


PARAMS = b'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"a":%s}}'
PING = b'{"jsonrpc":"2.0","id":"%s","method":"ping"}'

FRAMES: list[tuple[str, bytes, Any, int | None]] = [
    ("CRLF", PING % b"crlf" + b"\r\n", "crlf", None),
    ("a BOM", b"\xef\xbb\xbf" + PING % b"bom" + b"\n", "bom", None),
    ("empty lines", b"\n\r\n  \n" + PING % b"empty" + b"\n", "empty", None),
    ("U+2028 in a string", PING % "\u2028".encode() + b"\n", "\u2028", None),
    ("a batch", b"[" + PING % b"batch" + b"]\n", None, -32600),
    ("no JSON", b"hello\n", None, -32700),
    ("invalid UTF-8", b'{"id":"\xff"}\n', None, -32700),
    ("NaN", b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":NaN}}\n', None, -32700),
    ("infinity", PARAMS % b"1e999" + b"\n", None, -32700),
    ("id null", b'{"jsonrpc":"2.0","id":null,"method":"ping"}\n', None, -32600),
    ("id a fraction", b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}\n', None, -32600),
    ("id true", b'{"jsonrpc":"2.0","id":true,"method":"ping"}\n', None, -32600),
    ("id an object", b'{"jsonrpc":"2.0","id":{},"method":"ping"}\n', None, -32600),
    ("another version", b'{"jsonrpc":"1.0","id":1,"method":"ping"}\n', None, -32600),
    ("params a list", b'{"jsonrpc":"2.0","id":7,"method":"ping","params":[]}\n', 7, -32602),
    ("no such method", b'{"jsonrpc":"2.0","id":7,"method":"nope"}\n', 7, -32601),
    (
        "arguments a list",
        b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"add","arguments":[]}}\n',
        7,
        -32602,
    ),
    (
        "nested too deep",
        PARAMS % (b"[" * 600 + b"]" * 600) + b"\n",
        7,
        -32600,
    ),
    (
        "nested far too deep",
        PARAMS % (b"[" * 99_999 + b"]" * 99_999) + b"\n",
        7,
        -32600,
    ),
    (
        "too long",
        b'{"jsonrpc":"2.0","id":7,"method":"ping","params":"' + b"x" * 4_200_000 + b'"}\n',
        7,
        -32600,
    ),
    ("a number of 5,000 digits", PARAMS % (b"9" * 5000) + b"\n", None, -32700),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "answered", "code"), [f[1:] for f in FRAMES], ids=[f[0] for f in FRAMES]
)
def test_each_frame_has_its_answer_and_the_next_request_works(
    shared: Bridge, sent: bytes, answered: Any, code: int | None
) -> None:
    shared.send(sent)
    answer = shared.read()
    assert answer["id"] == answered
    assert answer.get("error", {}).get("code") == code
    assert shared.ask("ping")["result"] == {}


def test_answers_and_notifications_of_a_client_are_not_answered(shared: Bridge) -> None:
    shared.send(b'{"jsonrpc":"2.0","id":1,"result":{}}\n')
    shared.begin("notifications/initialized")
    shared.begin("notifications/nobody/knows")
    shared.begin("notifications/cancelled", requestId=[])
    assert shared.ask("ping")["result"] == {}


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_each_earlier_revision_is_spoken(shared: Bridge, version: str) -> None:
    answer = shared.ask("initialize", protocolVersion=version, capabilities={}, clientInfo={})
    assert answer["result"]["protocolVersion"] == version
    assert answer["result"]["capabilities"] == {"tools": {"listChanged": True}}


def test_a_stateless_answer_says_that_it_is_complete_and_how_long_it_holds(shared: Bridge) -> None:
    listed = shared.ask("tools/list", _meta=MODERN)["result"]
    called = shared.ask("tools/call", _meta=MODERN, name="counting", arguments={"upto": 2})[
        "result"
    ]
    assert (listed["resultType"], listed["cacheScope"]) == ("complete", "private")
    assert isinstance(listed["ttlMs"], int)
    assert (called["resultType"], called["structuredContent"]) == ("complete", [0, 1])
    earlier = shared.ask("tools/call", name="counting", arguments={"upto": 2})["result"]
    assert "structuredContent" not in earlier


def test_an_id_that_is_running_is_refused_and_free_again_afterwards(shared: Bridge) -> None:
    shared.begin("tools/call", "same", name="sleep_for_ever", arguments={})
    assert "is running" in shared.ask("ping", "same")["error"]["message"]
    shared.begin("notifications/cancelled", requestId="same", _meta={"twintrack/confirm": True})
    assert shared.read()["method"] == "notifications/twintrack/settled"
    assert shared.ask("ping", "same")["result"] == {}


def test_a_cancelled_thread_is_settled_only_when_it_has_ended(shared: Bridge) -> None:
    shared.begin("tools/call", "waiting", name="wait", arguments={})
    assert shared.process.stderr
    assert b"waiting\n" in iter(shared.process.stderr.readline, b"")
    shared.begin("notifications/cancelled", requestId="waiting", _meta={"twintrack/confirm": True})
    assert shared.ask("ping", "still")["id"] == "still"
    shared.begin("tools/call", "go", name="go", arguments={})
    told = [shared.read(), shared.read()]
    assert {frame.get("id") or frame["params"]["requestId"] for frame in told} == {"go", "waiting"}
    assert all("went" not in json.dumps(frame) for frame in told)


def test_progress_rises_and_is_sent_only_when_it_was_asked_for(shared: Bridge) -> None:
    for token in ("t", 0):
        shared.begin(
            "tools/call", 5, name="counting", arguments={"upto": 3}, _meta={"progressToken": token}
        )
        told = [shared.read()["params"] for _ in range(3)]
        assert [one["progress"] for one in told] == [1, 2, 3]
        assert {one["progressToken"] for one in told} == {token}
        assert shared.read()["id"] == 5
    assert "result" in shared.ask("tools/call", name="counting", arguments={"upto": 3})


def test_a_result_over_the_limit_is_an_error_that_names_the_limit(shared: Bridge) -> None:
    error = shared.ask("tools/call", name="much", arguments={"megabytes": 2})["error"]
    assert error["data"] == {"code": "VALUE_TOO_LARGE"}
    assert "3000000" in error["message"]
    assert "--max-result-bytes" in error["message"]


def test_the_trace_context_reaches_the_tool(shared: Bridge) -> None:
    meta = {"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "unrelated": "x"}
    result = shared.ask("tools/call", name="trace", arguments={}, _meta=meta)["result"]
    assert result["structuredContent"]["traceparent"] == meta["traceparent"]
    assert "unrelated" not in result["structuredContent"]


def test_the_list_is_the_same_each_time_and_comes_in_pages(tmp_path: Path) -> None:
    source = """
from langchain_core.tools import StructuredTool
make = StructuredTool.from_function
MANY = [make(lambda x: x, name=f"tool_{n}", description="") for n in range(450)]
"""
    (tmp_path / "many.py").write_text(source)
    bridge = Bridge("many:MANY", cwd=tmp_path)
    pages: list[Any] = [bridge.ask("tools/list")["result"]]
    while cursor := pages[-1].get("nextCursor"):
        pages.append(bridge.ask("tools/list", cursor=cursor)["result"])
    names = [tool["name"] for page in pages for tool in page["tools"]]
    assert [len(page["tools"]) for page in pages] == [200, 200, 50]
    assert names == [f"tool_{n}" for n in range(450)]
    assert bridge.ask("tools/list")["result"] == pages[0]
    for wrong in ("1", "450", "-200", "x", "²00", 200):
        assert bridge.ask("tools/list", cursor=wrong)["error"]["code"] == -32602
    bridge.kill()


def test_a_hangup_loads_the_tools_again_and_says_that_the_list_changed(tmp_path: Path) -> None:
    source = """
from langchain_core.tools import tool
@tool
def {0}() -> str:
    "Say which."
    return "{0}"
"""
    module = tmp_path / "changing.py"
    module.write_text(source.format("first") + "ALL = [first]")
    bridge = Bridge("changing:ALL", cwd=tmp_path, PYTHONDONTWRITEBYTECODE="1")
    bridge.ask("initialize", protocolVersion="2025-11-25")
    assert [tool["name"] for tool in bridge.ask("tools/list")["result"]["tools"]] == ["first"]

    module.write_text(source.format("second") + "ALL = [second]")
    os.kill(bridge.process.pid, signal.SIGHUP)

    assert bridge.read()["method"] == "notifications/tools/list_changed"
    assert bridge.call("second")["content"][0]["text"] == "second"
    module.write_text("ALL = nobody")
    os.kill(bridge.process.pid, signal.SIGHUP)
    assert bridge.process.stderr
    assert b"stay as they were" in bridge.process.stderr.readline()
    assert bridge.call("second")["content"][0]["text"] == "second"
    bridge.kill()


def test_a_client_that_does_not_read_does_not_let_memory_grow() -> None:
    bridge = Bridge("limits:ALL")
    base = int(bridge.call("resident_megabytes")["content"][0]["text"])
    calls = [("much", {"megabytes": 1}, f"m{n}") for n in range(120)]
    calls += [("chatter", {"upto": 25_000}, f"c{n}") for n in range(10)]
    asking = threading.Thread(target=_ask_all, args=(bridge, calls))
    asking.start()
    stuck = _size_when_still(bridge)
    answered = set[str]()
    while len(answered) < len(calls):
        frame = bridge.read()
        answered |= {frame["id"]} if "id" in frame else set()
    asking.join()
    assert answered == {request_id for _, _, request_id in calls}
    # One answer of 2 MB for each of 32 threads, its copies, and 4 MB that may wait.
    assert stuck - base < 200, "240 MB of answers and as much progress were waiting to be read"
    bridge.kill()


def _ask_all(bridge: Bridge, calls: list[tuple[str, Any, str]]) -> None:
    for name, arguments, request_id in calls:
        meta = {"progressToken": request_id}
        bridge.begin("tools/call", request_id, name=name, arguments=arguments, _meta=meta)


def _size_when_still(bridge: Bridge) -> int:
    """Resident megabytes once the process does nothing any more but wait for its reader."""
    used = -1
    while used != (used := _clock_ticks(bridge)):
        select.select([], [], [], 0.5)
    lines = Path(f"/proc/{bridge.process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024


def _clock_ticks(bridge: Bridge) -> int:
    fields = Path(f"/proc/{bridge.process.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_tool_that_runs_has_the_usual_collections_of_garbage(shared: Bridge) -> None:
    told = shared.call("collects_after")["content"][0]["text"]
    assert json.loads(told) == list(gc.get_threshold())
