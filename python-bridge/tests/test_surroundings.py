"""What a run of a shadow leaves in its process besides memory: no other run finds it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import leavings
from bridge import WAIT_S, Bridge

RECORDED = {"mode": "recorded", "recording": []}


@contextmanager
def serving(chain: str, **environment: str) -> Iterator[Bridge]:
    bridge = Bridge("--chain", f"leavings:{chain}", TWINTRACK_GIVEN="given", **environment)
    try:
        yield bridge
    finally:
        bridge.kill()


def run_in(bridge: Bridge, given: str, tools: Any = RECORDED) -> dict[str, Any]:
    return bridge.ask("twintrack/chain/invoke", input=given, tools=tools)["result"]


@pytest.mark.parametrize("what", [what for what in leavings.ACTS if what != "tidied"])
def test_a_run_that_leaves_something_says_so_and_no_other_finds_it(what: str) -> None:
    with serving("leaves", TWINTRACK_ROLE="shadow") as bridge:
        run = run_in(bridge, what)
        found = run["outcome"]["value"]
        # A variable that is put past `os.environ` is seen by other processes alone.
        assert (found["before"] == found["after"]) == (what == "past the object")
        assert "twintrack/left" in run["_meta"]
        assert "something" not in run["_meta"]["twintrack/left"]
        bridge.begin("twintrack/chain/invoke", 9, input="", tools=RECORDED)
        assert bridge.process.wait(WAIT_S) == 1
        assert bridge.close()[1].endswith(f"a run changed {run['_meta']['twintrack/left']}\n")


@pytest.mark.parametrize("what", ["nothing", "tidied"])
def test_a_run_that_leaves_nothing_keeps_its_process(what: str) -> None:
    with serving("leaves", TWINTRACK_ROLE="shadow") as bridge:
        runs = [run_in(bridge, what) for _ in range(3)]
        assert len({run["outcome"]["value"]["pid"] for run in runs}) == 1
        assert not any("_meta" in run for run in runs)


def test_runs_beside_one_that_leaves_something_are_lost_with_it(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with serving("beside", TWINTRACK_ROLE="shadow", TWINTRACK_MARK=str(mark)) as bridge:
        for request_id, what in enumerate(("leaves", "finds"), 1):
            bridge.begin("twintrack/chain/invoke", request_id, input=what, tools=RECORDED)
        assert bridge.process.wait(WAIT_S) == 1
        assert bridge.close() == (1, "a run changed os.environ['TWINTRACK_LEFT']\n")
    assert mark.read_text() == "something"


def test_outside_of_a_shadow_a_run_may_leave_what_it_wants() -> None:
    with serving("leaves") as bridge:
        first, second = (run_in(bridge, what, {"mode": "live"}) for what in ("variable", ""))
    assert "_meta" not in first
    assert second["outcome"]["value"]["before"] == first["outcome"]["value"]["after"]
