import asyncio
import json
from typing import Any

import pytest

import models
from twintrack_bridge.chain import invoke

EFFECTS = {"shout": "read", "consult": "read"}
LIVE = {"mode": "live"}
HUMAN = {"messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(autouse=True)
def asked() -> list[str]:
    models.ASKED.clear()
    return models.ASKED


async def run_chain(chain: Any, given: Any, tools: Any = LIVE, **more: Any) -> dict[str, Any]:
    return await invoke(chain, {"input": given, "tools": tools, "effects": EFFECTS}, **more)


def live(chain: Any, given: Any) -> dict[str, Any]:
    return asyncio.run(run_chain(chain, given))


def replayed(chain: Any, given: Any, run: dict[str, Any], policy: str = "recorded") -> Any:
    record = json.loads(json.dumps(run))
    tools = {
        "mode": "recorded",
        "recording": record["calls"],
        "modelRecording": record["modelCalls"],
        "models": policy,
    }
    return asyncio.run(run_chain(chain, given, tools))


def streamed(chain: Any, given: Any, tools: Any = LIVE) -> tuple[list[Any], dict[str, Any]]:
    chunks: list[Any] = []

    async def hand(chunk: Any) -> None:
        chunks.append(chunk)

    return chunks, asyncio.run(run_chain(chain, given, tools, hand=hand))


def served(run: dict[str, Any]) -> list[str]:
    return [call["served"] for call in run["modelCalls"]]


def test_a_graphs_model_calls_are_told_as_asked_and_answered_in_one_form() -> None:
    run = live(models.graph, HUMAN)

    first, second = run["modelCalls"]
    assert first["request"]["model"] == "rule-1"
    assert first["request"]["params"] == {"temperature": 0.5, "maxTokens": 64}
    assert first["request"]["messages"] == [{"role": "user", "content": "hi"}]
    (told,) = first["request"]["tools"]
    assert (told["name"], told["description"]) == ("shout", "Say it louder.")
    assert told["parameters"]["required"] == ["text"]
    (call,) = first["outcome"]["value"]["toolCalls"]
    assert (call["name"], call["args"]) == ("shout", {"text": "hi"})
    assert first["outcome"]["value"]["finishReason"] == "tools"
    assert second["request"]["messages"][1:] == [
        {
            "role": "assistant",
            "content": "",
            "toolCalls": [{"name": "shout", "args": {"text": "hi"}, "id": "call_0"}],
        },
        {"role": "tool", "content": '{"text": "HI"}', "name": "shout", "toolCallId": "call_0"},
    ]
    assert second["outcome"]["value"]["usage"]["totalTokens"] == 9
    assert "sk-secret" not in json.dumps(run["modelCalls"])


CHAINS = [
    ("model", models.model, "hi"),
    ("streaming model", models.streaming_model, "hi"),
    ("async model", models.async_model, "hi"),
    ("text model", models.echo, "hi"),
    ("record", models.assigns, {"text": "hi"}),
    ("graph", models.graph, HUMAN),
    ("graph of a streaming model", models.streaming_graph, HUMAN),
    ("AgentExecutor", models.executor, {"input": "hi"}),
    ("AgentExecutor of a streaming model", models.streaming_executor, {"input": "hi"}),
    ("function", models.catches, "hi"),
    ("async function", models.twice, "hi"),
]
_NAMED = pytest.mark.parametrize(("chain", "given"), [c[1:] for c in CHAINS], ids=lambda _: "")


@_NAMED
def test_a_recorded_run_shares_the_models_answers_and_asks_nothing(
    chain: Any, given: Any, asked: list[str]
) -> None:
    first = live(chain, given)
    assert asked
    assert first["outcome"]["status"] == "returned", first["outcome"]
    asked.clear()

    second = replayed(chain, given, first)

    assert plain(second["outcome"]) == plain(first["outcome"])
    assert set(served(second)) == {"recorded"}
    assert asked == []


@_NAMED
def test_a_stream_ends_in_the_run_that_invoke_gives(chain: Any, given: Any) -> None:
    invoked = live(chain, given)
    chunks, run = streamed(chain, given)

    assert chunks
    assert plain(run["outcome"]) == plain(invoked["outcome"])
    assert [c["request"] for c in run["modelCalls"]] == [
        c["request"] for c in invoked["modelCalls"]
    ]
    assert [(c["tool"], c["args"]) for c in run["calls"]] == [
        (c["tool"], c["args"]) for c in invoked["calls"]
    ]


def plain(value: Any) -> Any:
    """Without what is another's in every run, and what a model tells in a stream only."""
    drop = ("id", "tool_call_id", "chunk_position", "usage_metadata", "response_metadata", "log")
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in drop}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.strip() if isinstance(value, str) else value


def test_an_agent_executor_tells_its_steps() -> None:
    run = live(models.executor, {"input": "hi"})

    value = run["outcome"]["value"]
    assert value["output"] == 'I say {"text": "HI"}'
    ((action, observation),) = value["intermediate_steps"]
    assert (action["tool"], observation) == ("shout", {"text": "HI"})
    assert [call["tool"] for call in run["calls"]] == ["shout"]
    assert len(run["modelCalls"]) == 2


@pytest.mark.parametrize("policy", ["live", "recorded"])
def test_a_model_call_without_a_record_runs_only_when_models_are_live(
    policy: str, asked: list[str]
) -> None:
    first = live(models.model, "hi")
    asked.clear()

    run = replayed(models.model, "bye", first, policy)

    if policy == "live":
        assert (served(run), asked) == (["live"], ["bye"])
    else:
        assert run["outcome"]["error"]["code"] == "MODEL_UNRECORDED"
        assert (served(run), asked) == (["refused"], [])


def test_a_model_call_inside_a_model_call_is_a_part_of_it() -> None:
    run = live(models.twice, "again")

    assert len(run["modelCalls"]) == 2


def test_a_stream_of_a_model_that_is_left_does_not_stand_in() -> None:
    first = live(models.reads_one_word, "hi")
    second = replayed(models.reads_one_word, "hi", first)

    assert first["modelCalls"][0]["lossy"] is True
    assert first["modelCalls"][0]["streamed"] is True
    assert second["outcome"]["error"]["code"] == "MODEL_UNRECORDED"


def test_a_model_that_fails_fails_the_same_way_from_the_record(asked: list[str]) -> None:
    first = live(models.catches, "fail")
    asked.clear()
    second = replayed(models.catches, "fail", first)

    assert first["outcome"]["value"] == "caught RuntimeError: the model is overloaded"
    assert first["modelCalls"][0]["outcome"]["status"] == "threw"
    assert second["outcome"] == first["outcome"]
    assert asked == []


def test_a_model_call_inside_a_tool_names_the_tool(asked: list[str]) -> None:
    first = live(models.consults, "hi")
    asked.clear()
    second = replayed(models.consults, "hi", first)

    assert [call["insideTool"] for call in first["modelCalls"]] == ["consult"]
    assert second["outcome"] == first["outcome"]
    assert (second["modelCalls"], asked) == ([], [])


def test_runs_at_once_keep_their_model_calls_apart() -> None:
    texts = [f"run{n}" for n in range(30)]
    chains = [models.async_model, models.catches, models.streaming_executor]

    async def all_runs() -> list[dict[str, Any]]:
        return await asyncio.gather(
            *(
                run_chain(chains[n % 3], {"input": text} if n % 3 == 2 else text)
                for n, text in enumerate(texts)
            )
        )

    for text, run in zip(texts, asyncio.run(all_runs()), strict=True):
        assert run["modelCalls"]
        for call in run["modelCalls"]:
            users = [m["content"] for m in call["request"]["messages"] if m["role"] == "user"]
            assert users == [text]


def test_a_graphs_chunks_are_those_of_its_own_mode() -> None:
    chunks, _ = streamed(models.graph, HUMAN)

    assert [list(chunk) for chunk in chunks] == [["model"], ["tools"], ["model"]]


def test_a_graph_that_waits_for_a_person_says_so_in_a_stream_as_in_invoke() -> None:
    invoked = live(models._asking(), {"text": "x"})
    _, run = streamed(models._asking(), {"text": "x"})

    (asked,) = run["outcome"]["value"]["__interrupt__"]
    assert asked["value"] == "sure?"
    assert invoked["outcome"]["value"]["__interrupt__"][0]["value"] == "sure?"


def test_generators_are_streamed_item_by_item() -> None:
    assert streamed(models.counts, 3)[0] == [[0], [1], [2]]
    chunks, run = streamed(models.spells, "abc")

    assert chunks == ["A", "B", "C"]
    assert run["outcome"] == {"status": "returned", "value": "ABC"}
    assert len(run["calls"]) == 3


def test_a_reader_that_waits_makes_the_chain_wait() -> None:
    async def slow() -> int:
        models.MADE.clear()
        read = asyncio.Event()

        async def hand(_: Any) -> None:
            if len(models.MADE) > 2:
                await read.wait()

        running = asyncio.ensure_future(run_chain(models.never_ends, "x", hand=hand))
        for _ in range(200):
            await asyncio.sleep(0)
        running.cancel()
        return len(models.MADE)

    assert 2 < asyncio.run(slow()) < 6


def test_a_stream_past_its_deadline_is_timed_out_with_its_calls() -> None:
    async def hand(_: Any) -> None:
        pass

    async def late() -> dict[str, Any]:
        params = {"input": "x", "tools": LIVE, "effects": {}, "timeoutMs": 50}
        return await invoke(models.never_ends, params, hand)

    assert asyncio.run(late())["outcome"] == {"status": "timed_out", "afterMs": 50}
