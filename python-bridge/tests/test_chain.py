import asyncio
import json
from typing import Any

import pytest

import chains
import steering
from twintrack_bridge.chain import invoke
from twintrack_bridge.errors import RequestError

READS = {"find": "read", "measure": "read", "find_order": "read", "lookup": "read"}


@pytest.fixture(autouse=True)
def written() -> list[str]:
    chains.WRITTEN.clear()
    return chains.WRITTEN


async def start(chain: Any, given: Any, tools: dict[str, Any], **more: Any) -> dict[str, Any]:
    return await invoke(chain, {"input": given, "tools": tools, "effects": READS, **more})


def live(chain: Any, given: Any = "k") -> dict[str, Any]:
    return asyncio.run(start(chain, given, {"mode": "live"}))


def replayed(
    chain: Any, calls: list[dict[str, Any]], given: Any = "k", reads: str = "recorded"
) -> dict[str, Any]:
    # As it comes back from JavaScript, which writes 1.0 as 1.
    text = json.dumps(calls).replace("1.0", "1")
    recording = json.loads(text)
    return asyncio.run(
        start(chain, given, {"mode": "recorded", "recording": recording, "reads": reads})
    )


def value(run: dict[str, Any]) -> Any:
    assert run["outcome"]["status"] == "returned", run["outcome"]
    return run["outcome"]["value"]


def seen(run: dict[str, Any]) -> list[tuple[str, Any, str]]:
    return [(call["tool"], call["args"], call["served"]) for call in run["calls"]]


SAVING = [
    chains.find_then_save,
    chains.async_save,
    chains.plain_function,
    chains.in_a_thread_with_context,
]
REPLAYABLE = [
    *SAVING,
    chains.parallel,
    chains.catches_its_own_error,
    chains.catches_a_key_error,
    chains.catches_everything,
    chains.with_artifact,
    chains.uses_outer,
    chains.uses_alias,
    chains.injects,
    chains.changes_what_it_got,
]


def test_parsed_arguments_and_raw_results_are_recorded_in_order() -> None:
    run = live(chains.find_then_save)

    assert value(run) == "saved k, score 1.0"
    assert seen(run) == [
        ("save", {"key": "k"}, "live"),
        ("find", {"key": "k", "exact": True}, "live"),
    ]
    assert run["calls"][0]["effect"] == "write"
    assert run["calls"][1]["effect"] == "read"
    assert run["calls"][1]["outcome"]["value"] == {"key": "k", "score": 1.0, "exact": True}


@pytest.mark.parametrize("chain", REPLAYABLE)
def test_a_replayed_run_gives_the_same_answer_and_writes_nothing(
    chain: Any, written: list[str]
) -> None:
    first = live(chain)
    written.clear()

    second = replayed(chain, first["calls"])

    assert second["outcome"] == first["outcome"]
    assert {call["served"] for call in second["calls"]} == {"recorded"}
    assert written == []


def test_a_second_run_of_a_graph_is_steered_as_the_first_one_and_no_tool_runs_again() -> None:
    steering.EXECUTED.clear()
    first = live(steering.steered)
    second = replayed(steering.steered, first["calls"])

    assert value(first) == {
        "notes": ["t", 1.0, "about t"],
        "told": [
            ["noted", "success", None, 0],
            ["over to them", "success", None, 1],
            ["not allowed", "error", {"rule": "t"}, 2],
        ],
    }
    assert second["outcome"] == first["outcome"]
    assert {call["served"] for call in second["calls"]} == {"recorded"}
    assert sorted(steering.EXECUTED) == ["deny", "hand", "note"]


def test_of_a_message_or_a_command_the_record_says_what_a_caller_is_told() -> None:
    note, hand, deny = sorted(
        live(steering.steered)["calls"],
        key=lambda call: ["note", "hand", "deny"].index(call["tool"]),
    )

    assert note["outcome"]["value"]["update"]["notes"] == ["t", 1.0]
    assert "partial" not in note
    assert hand["partial"]
    assert deny["outcome"]["error"]["message"] == "not allowed"


@pytest.mark.parametrize("chain", [*SAVING, chains.in_a_thread_without_context])
@pytest.mark.parametrize("reads", ["recorded", "live"])
def test_an_unrecorded_write_is_refused_and_not_executed(
    chain: Any, reads: str, written: list[str]
) -> None:
    run = replayed(chain, [], reads=reads)

    assert run["outcome"]["error"]["code"] == "EFFECT_REFUSED"
    assert written == []


def test_a_write_is_refused_even_when_it_is_declared_a_read_and_reads_are_recorded(
    written: list[str],
) -> None:
    tools = {"mode": "recorded", "recording": [], "reads": "recorded"}
    run = asyncio.run(
        invoke(chains.plain_function, {"input": "k", "tools": tools, "effects": {"save": "read"}})
    )

    assert run["outcome"]["error"]["code"] == "READ_UNRECORDED"
    assert written == []


def test_a_refusal_that_the_chain_swallows_stays_in_the_record(written: list[str]) -> None:
    run = replayed(chains.catches_everything, [])

    assert value(run) == "went on after EffectRefused"
    assert seen(run) == [("save", {"key": "k"}, "refused")]
    assert written == []


def test_a_write_inside_a_live_read_is_refused(written: list[str]) -> None:
    tools = {"mode": "recorded", "recording": [], "reads": "live"}
    params = {"input": "k", "tools": tools, "effects": {"outer": "read"}}

    run = asyncio.run(invoke(chains.uses_outer, params))

    assert run["outcome"]["error"]["code"] == "EFFECT_REFUSED"
    assert written == []


def test_an_unrecorded_read_runs_only_when_allowed() -> None:
    refused = replayed(chains.parallel, [])
    allowed = replayed(chains.parallel, [], reads="live")

    assert refused["outcome"]["error"]["code"] == "READ_UNRECORDED"
    assert value(allowed) == {"a": "k-a", "b": "k-b"}


def test_a_lossy_record_is_refused() -> None:
    first = live(chains.uses_tuple)
    assert first["calls"][0]["lossy"] is True

    second = replayed(chains.uses_tuple, first["calls"])

    assert second["outcome"]["error"]["code"] == "RECORDING_LOSSY"


def test_what_an_annotation_promises_is_rebuilt_from_the_record() -> None:
    first = live(chains.uses_models)
    assert [("lossy" in call, call["typed"]) for call in first["calls"]] == [(False, True)] * 3

    second = replayed(chains.uses_models, first["calls"])

    assert value(second) == value(first) == ["Parcel", "2.20", 0.0]


def test_a_call_of_a_typed_flow_answers_with_what_the_tool_returns() -> None:
    first = live(chains.uses_models)
    calls = [
        {**{key: item for key, item in call.items() if key != "typed"}, "step": "a"}
        for call in first["calls"]
    ]

    assert value(replayed(chains.uses_models, calls)) == value(first)


def test_an_annotation_that_lies_changes_nothing() -> None:
    first = live(chains.uses_lies)
    assert not {"lossy", "typed"} & first["calls"][0].keys()

    assert value(replayed(chains.uses_lies, first["calls"])) == value(first) == "1.10"


def test_what_a_tool_calls_inside_itself_is_part_of_that_tool(written: list[str]) -> None:
    run = live(chains.uses_outer)

    assert [call["tool"] for call in run["calls"]] == ["outer"]
    assert written == ["k"]


def test_arguments_carry_their_published_names_and_no_injected_ones() -> None:
    assert seen(live(chains.uses_alias))[0][1] == {"orderId": "k"}
    assert seen(live(chains.injects))[0][1] == {"key": "k"}


def test_occurrences_are_counted_per_tool_and_arguments() -> None:
    run = live(chains.changes_what_it_got)

    assert [call["occurrence"] for call in run["calls"]] == [0, 1]


def test_concurrent_runs_are_not_mixed_up(written: list[str]) -> None:
    async def many() -> list[dict[str, Any]]:
        runs = [
            start(chain, f"{index}-{number}", {"mode": mode, "recording": [], "reads": "recorded"})
            for number in range(10)
            for index, chain in enumerate(SAVING)
            for mode in ("live", "recorded")
        ]
        return list(await asyncio.gather(*runs))

    runs = asyncio.run(many())

    for run in runs:
        keys = {call["args"]["key"] for call in run["calls"]}
        assert len(keys) == 1
    refused = [run for run in runs if run["outcome"]["status"] == "threw"]
    assert len(refused) == len(runs) / 2
    assert len(written) == len(set(written)) == len(runs) / 2


def test_a_chain_that_does_not_finish_is_timed_out_with_the_calls_it_made(
    written: list[str],
) -> None:
    async def run() -> dict[str, Any]:
        started = await start(chains.hangs, "k", {"mode": "live"}, timeoutMs=50)
        chains.RELEASED.set()
        return started

    run_ = asyncio.run(run())

    assert run_["outcome"] == {"status": "timed_out", "afterMs": 50}
    assert [call["args"] for call in run_["calls"]] == [{"key": "k before"}]
    assert run_["_meta"] == {"twintrack/running": True}


def test_a_chain_that_ends_the_process_is_an_outcome() -> None:
    assert live(chains.exits)["outcome"]["error"]["name"] == "SystemExit"


def test_a_shadow_process_refuses_live_tools(
    monkeypatch: pytest.MonkeyPatch, written: list[str]
) -> None:
    monkeypatch.setenv("TWINTRACK_ROLE", "shadow")

    with pytest.raises(RequestError, match="shadow"):
        live(chains.plain_function)

    assert written == []


@pytest.mark.parametrize(
    "tools", [None, {}, {"mode": "other"}, {"mode": "recorded", "recording": [{}]}]
)
def test_malformed_parameters_are_an_error_of_the_request(tools: Any) -> None:
    with pytest.raises(RequestError):
        asyncio.run(start(chains.plain_function, "k", tools))


async def async_words(given: str) -> Any:
    for word in ("one ", "two ", given):
        yield word


def sync_words(given: str) -> Any:
    yield from ("one ", "two ", given)


class Words:
    async def __call__(self, given: str) -> Any:
        return async_words(given)


@pytest.mark.parametrize("chain", [async_words, sync_words, lambda k: async_words(k), Words()])
def test_what_a_generator_yields_is_joined_to_the_answer(chain: Any) -> None:
    run = live(chain)

    assert value(run) == "one two k"
    assert run["lossy"] is False


def test_a_generator_that_fails_midway_is_a_failure_of_the_chain() -> None:
    def fails(_: str) -> Any:
        yield "one "
        raise LookupError("no more")

    assert live(fails)["outcome"]["error"]["name"] == "LookupError"
