import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import strays
from bridge import Bridge

RECORDED = {"mode": "recorded", "recording": [], "reads": "live"}


@pytest.fixture(scope="module")
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture(autouse=True)
def nothing_outside() -> Iterator[None]:
    yield
    strays.OUTSIDE.unlink(missing_ok=True)


@contextmanager
def shadow_of(chain: str, port: int, **environment: str) -> Iterator[Bridge]:
    # The checkout itself may lie in the temporary folder, which is open to shadows.
    with tempfile.TemporaryDirectory() as folder:
        environment = {"TWINTRACK_ROLE": "shadow", "TMPDIR": folder, **environment}
        bridge = Bridge("--chain", f"strays:{chain}", STRAY_PORT=str(port), **environment)
        try:
            yield bridge
        finally:
            bridge.kill()


def run_in(bridge: Bridge, given: str) -> dict[str, Any]:
    run = bridge.ask(
        "twintrack/chain/invoke", input=given, tools=RECORDED, effects={"visit": "read"}
    )
    return run["result"]


def shadow(chain: str, port: int, given: str, **environment: str) -> dict[str, Any]:
    with shadow_of(chain, port, **environment) as bridge:
        return run_in(bridge, given)


@pytest.fixture(scope="module")
def acting(listener: socket.socket) -> Iterator[Bridge]:
    """What is refused leaves nothing behind: one process is enough for all that is tried."""
    with shadow_of("acting", port_of(listener)) as bridge:
        yield bridge


def port_of(server: socket.socket) -> int:
    return server.getsockname()[1]


@pytest.mark.parametrize("act", strays.ACTS)
def test_a_shadow_does_nothing_outside_of_tools(act: str, acting: Bridge) -> None:
    run = run_in(acting, act)
    assert run["outcome"]["status"] == "threw", run
    assert "outside of a tool" in run["outcome"]["error"]["message"]
    attempts = [(call["tool"], call["effect"], call["served"]) for call in run["calls"]]
    # A thread that was started without its context does not know its run.
    assert attempts == ([] if act == "thread" else [("egress", "write", "refused")])
    assert not strays.OUTSIDE.exists()


def test_a_shadow_does_nothing_on_its_event_loop(listener: socket.socket) -> None:
    run = shadow("act_async", port_of(listener), "k")
    assert run["outcome"]["error"]["code"] == "EGRESS_REFUSED"


def test_what_a_chain_swallows_is_in_its_record(listener: socket.socket) -> None:
    run = shadow("shrugs", port_of(listener), "socket")
    assert run["outcome"] == {"status": "returned", "value": "did not work"}
    assert [call["args"] for call in run["calls"]] == [f"connect 127.0.0.1:{port_of(listener)}"]


def test_a_read_that_may_run_reaches_the_world(listener: socket.socket) -> None:
    run = shadow("through_a_tool", port_of(listener), "k")
    assert run["outcome"] == {"status": "returned", "value": "k"}
    assert [call["served"] for call in run["calls"]] == ["live"]


def test_what_the_configuration_allows_is_done(listener: socket.socket) -> None:
    allowed = f'{{"hosts": ["127.0.0.1:{port_of(listener)}"]}}'
    run = shadow("acting", port_of(listener), "socket", TWINTRACK_EGRESS=allowed)
    assert run["outcome"] == {"status": "returned", "value": "done"}


def test_outside_of_a_shadow_nothing_is_guarded(listener: socket.socket) -> None:
    bridge = Bridge("--chain", "strays:acting", STRAY_PORT=str(port_of(listener)))
    try:
        run = bridge.ask("twintrack/chain/invoke", input="socket", tools={"mode": "live"})
        assert run["result"]["outcome"] == {"status": "returned", "value": "done"}
    finally:
        bridge.kill()
