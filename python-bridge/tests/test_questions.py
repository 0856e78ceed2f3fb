"""Reads that a recorded run asks its client for."""

from collections.abc import Iterator
from typing import Any

import pytest

from bridge import Bridge

READS = {"price": "read", "weight": "read", "measure": "read"}
PRICE = {"cents": 100, "net": 0.5}


@pytest.fixture(scope="module")
def shared() -> Iterator[Bridge]:
    started = Bridge(
        "--chain", "asking:chosen", "--max-result-bytes", "3000000", TWINTRACK_ROLE="shadow"
    )
    yield started
    started.kill()


@pytest.fixture
def own() -> Iterator[Bridge]:
    started = Bridge("--chain", "asking:chosen", TWINTRACK_ROLE="shadow")
    yield started
    started.kill()


def begin(bridge: Bridge, chain: str, given: Any, request_id: int | str = 1, **more: Any) -> None:
    tools = {"mode": "recorded", "recording": [], "reads": "asked", **more.pop("tools", {})}
    params = {"input": {"chain": chain, "with": given}, "tools": tools, "effects": READS, **more}
    bridge.begin("twintrack/chain/invoke", request_id, **params)


def asked(bridge: Bridge) -> dict[str, Any]:
    question = bridge.read()
    assert question.get("method") == "twintrack/chain/read", question
    return question


def answer(bridge: Bridge, question: dict[str, Any], value: Any) -> None:
    bridge.tell(id=question["id"], result={"value": value})


def run_of(bridge: Bridge, request_id: int | str = 1) -> dict[str, Any]:
    message = bridge.read()
    assert message["id"] == request_id, message
    return message["result"]


@pytest.mark.parametrize(
    ("chain", "tool", "args"),
    [
        ("in_thread", "price", {"n": 2, "currency": "EUR"}),
        ("sync_tool_awaited", "price", {"n": 2, "currency": "EUR"}),
        ("blocking_the_loop", "price", {"n": 2, "currency": "EUR"}),
        ("in_its_own_thread", "price", {"n": 2, "currency": "EUR"}),
        ("in_a_runnable", "price", {"n": 2, "currency": "EUR"}),
        ("on_loop", "weight", {"n": 2}),
    ],
)
def test_the_client_is_asked_with_the_arguments_of_the_record_and_its_answer_is_the_tools(
    shared: Bridge, chain: str, tool: str, args: dict[str, Any]
) -> None:
    begin(shared, chain, 2)
    question = asked(shared)
    answer(shared, question, PRICE)
    run = run_of(shared)

    assert question["params"] == {"requestId": 1, "tool": tool, "args": args}
    assert run["outcome"] == {"status": "returned", "value": PRICE}
    (call,) = run["calls"]
    assert (call["args"], call["served"]) == (args, "snapshot")
    assert call["outcome"] == {"status": "returned", "value": PRICE}


def test_runs_at_once_get_their_own_answers(shared: Bridge) -> None:
    begin(shared, "in_thread", 1, "first")
    begin(shared, "on_loop", 2, "second")
    questions = {question["params"]["requestId"]: question for question in map(asked, [shared] * 2)}
    answer(shared, questions["second"], {"kg": 2})
    second = run_of(shared, "second")
    answer(shared, questions["first"], {"cents": 1})
    first = run_of(shared, "first")

    assert (first["outcome"]["value"], second["outcome"]["value"]) == ({"cents": 1}, {"kg": 2})


def test_reads_of_one_run_are_asked_for_together(shared: Bridge) -> None:
    begin(shared, "many", 20)
    questions = [asked(shared) for _ in range(20)]
    for question in reversed(questions):
        answer(shared, question, question["params"]["args"]["n"])

    assert run_of(shared)["outcome"]["value"] == list(range(20))


def test_a_read_that_is_in_the_record_is_not_asked_for(shared: Bridge) -> None:
    outcome = {"status": "returned", "value": PRICE}
    recorded = {"tool": "price", "args": {"n": 2, "currency": "EUR"}, "outcome": outcome}
    begin(shared, "in_thread", 2, tools={"recording": [recorded]})

    assert run_of(shared)["calls"][0]["served"] == "recorded"


def test_a_write_is_not_asked_for(shared: Bridge) -> None:
    begin(shared, "pays", 2)
    run = run_of(shared)

    assert run["outcome"]["error"]["code"] == "EFFECT_REFUSED"
    assert run["calls"][0]["served"] == "refused"


def test_a_client_that_did_not_offer_to_answer_is_not_asked(shared: Bridge) -> None:
    begin(shared, "in_thread", 2, tools={"reads": "recorded"})

    assert run_of(shared)["outcome"]["error"]["code"] == "READ_UNRECORDED"


@pytest.mark.parametrize("chain", ["in_thread", "on_loop"])
def test_a_client_that_does_not_know_leaves_the_read_unrecorded(shared: Bridge, chain: str) -> None:
    begin(shared, chain, 2)
    shared.tell(id=asked(shared)["id"], error={"code": -32603, "message": "not in 1990"})
    run = run_of(shared)

    error = {"name": "ReadUnrecorded", "message": "not in 1990", "code": "READ_UNRECORDED"}
    assert run["outcome"] == {"status": "threw", "error": error}
    assert run["calls"][0]["outcome"] == run["outcome"]
    assert run["calls"][0]["served"] == "snapshot"


def test_what_the_chain_does_to_an_answer_is_not_in_the_record(shared: Bridge) -> None:
    begin(shared, "changes_what_it_got", 2)
    answer(shared, asked(shared), {"cents": 1})
    run = run_of(shared)

    assert run["outcome"]["value"] == {"cents": -1}
    assert run["calls"][0]["outcome"]["value"] == {"cents": 1}


def test_a_pair_is_content_and_artifact_where_the_tool_returns_both(shared: Bridge) -> None:
    begin(shared, "measures", "k")
    answer(shared, asked(shared), ["text", [1, 2]])
    run = run_of(shared)

    assert run["outcome"]["value"] == ["text", [1, 2]]
    assert run["calls"][0]["outcome"]["value"] == ["text", [1, 2]]


def test_an_integer_that_javascript_rounds_is_recorded_as_it_was_sent(shared: Bridge) -> None:
    begin(shared, "in_thread", 2)
    answer(shared, asked(shared), {"id": 2**60})

    assert run_of(shared)["calls"][0]["outcome"]["value"] == {"id": 2**60}


@pytest.mark.parametrize("chain", ["in_thread", "on_loop"])
def test_a_run_that_is_not_answered_in_time_is_timed_out_and_leaves_no_thread(
    shared: Bridge, chain: str
) -> None:
    begin(shared, chain, 2, timeoutMs=100)
    question = asked(shared)
    run = run_of(shared)
    shared.begin("notifications/cancelled", requestId=1, _meta={"twintrack/confirm": True})

    assert run["outcome"] == {"status": "timed_out", "afterMs": 100}
    assert run["calls"][0]["outcome"]["status"] == "timed_out"
    assert run["calls"][0]["served"] == "snapshot"
    assert shared.read()["method"] == "notifications/twintrack/settled"
    answer(shared, question, "too late")
    assert shared.ask("ping")["result"] == {}


@pytest.mark.parametrize("chain", ["in_thread", "on_loop", "blocking_the_loop"])
def test_a_run_that_is_cancelled_waits_no_longer(shared: Bridge, chain: str) -> None:
    begin(shared, chain, 2)
    asked(shared)
    assert shared.ask("ping", 2)["result"] == {}
    shared.begin("notifications/cancelled", requestId=1, _meta={"twintrack/confirm": True})

    settled = shared.read()
    assert settled["method"] == "notifications/twintrack/settled"
    assert settled["params"] == {"requestId": 1}


@pytest.mark.parametrize("chain", ["in_thread", "on_loop", "blocking_the_loop"])
def test_the_process_ends_with_its_client_although_a_read_waits(own: Bridge, chain: str) -> None:
    begin(own, chain, 2)
    asked(own)

    assert own.close()[0] == 0


@pytest.mark.parametrize("chain", ["swallows", "swallows_async"])
@pytest.mark.parametrize("value", ["x" * 4_200_000, [[]]], ids=["too long", "too deep"])
def test_an_answer_that_cannot_be_taken_fails_the_request_whatever_the_chain_makes_of_it(
    shared: Bridge, chain: str, value: Any
) -> None:
    begin(shared, chain, 2)
    question = asked(shared)
    for _ in range(600 if isinstance(value, list) else 0):
        value = [value]
    answer(shared, question, value)
    message = shared.read()

    assert (message["id"], message["error"]["data"]) == (1, {"code": "VALUE_TOO_LARGE"})


def test_arguments_that_are_too_large_to_be_asked_fail_the_request(shared: Bridge) -> None:
    begin(shared, "says_much", 4)
    message = shared.read()

    assert (message["id"], message["error"]["data"]) == (1, {"code": "VALUE_TOO_LARGE"})


def test_answers_that_nobody_waits_for_are_dropped(shared: Bridge) -> None:
    begin(shared, "in_thread", 2)
    question = asked(shared)
    shared.tell(id="read-0", result={"value": "of nobody"})
    shared.tell(id=[], result={"value": "of nobody"})
    answer(shared, question, "right")
    answer(shared, question, "twice")

    assert run_of(shared)["outcome"]["value"] == "right"
    assert shared.ask("ping")["result"] == {}
