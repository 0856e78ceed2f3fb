"""Every shape of LangChain tool, through both ways into it."""

import asyncio
import json
from typing import Any

import jsonschema
import pytest
from langchain_core.tools import BaseTool

import gallery
from twintrack_bridge.binding import Binding
from twintrack_bridge.call import Call, call_in_thread, call_on_loop, runs_in_thread
from twintrack_bridge.contract import bridge
from twintrack_bridge.errors import RequestError
from twintrack_bridge.loading import load_tools
from twintrack_bridge.outbox import encode
from twintrack_bridge.result import META_KEY

TOOLS, REFUSED = bridge(load_tools(["gallery:GOOD"]))
BY_NAME = {bridged.contract.original_name: bridged for bridged in TOOLS}
WAYS = ("thread", "loop")


def run(name: str, call: Call, way: str = "thread") -> dict[str, Any]:
    bridged = BY_NAME[name]
    if way == "loop" or not runs_in_thread(bridged.tool):
        result = asyncio.run(call_on_loop(bridged, call))
    else:
        result = call_in_thread(bridged, call, _no_loop)
    json.loads(encode(result))
    return result


def _no_loop() -> asyncio.AbstractEventLoop:
    raise AssertionError("this tool needs no loop")


def raw(result: dict[str, Any]) -> Any:
    assert result["isError"] is False, result["content"]
    return result["_meta"][META_KEY]["raw"]


def text(result: dict[str, Any]) -> str:
    return "\n".join(block["text"] for block in result["content"])


def published(name: str) -> dict[str, Any]:
    return BY_NAME[name].contract.input_schema


def test_every_shape_of_the_gallery_is_bridged() -> None:
    assert REFUSED == []
    assert len(TOOLS) == len(gallery.GOOD)
    for bridged in TOOLS:
        jsonschema.Draft202012Validator.check_schema(bridged.contract.input_schema)
        assert bridged.contract.input_schema["$schema"].startswith("http")


@pytest.mark.parametrize("name", gallery.UNSUPPORTED)
def test_what_cannot_be_called_is_unsupported_with_the_reason(name: str) -> None:
    tools, unsupported = bridge(load_tools([f"gallery:{name}"]))
    assert tools == []
    assert gallery.UNSUPPORTED[name] in unsupported[0].reason


CALLS: list[tuple[str, dict[str, Any], Any]] = [
    ("spelt", {"oneOf": 1, "twoOf": 2, "inside": {"four": 4}}, [1, 2, 3, 4, "none"]),
    (
        "spelt",
        {"one": 1, "two": 2, "three_of": 5, "inside": {"four": 4, "list": [0, "b"]}},
        [1, 2, 5, 4, "b"],
    ),
    ("pydantic_1", {"orderId": "o", "nested": [{"sku": "s"}]}, "o (1, 'a') ['s']"),
    ("recursive", {"name": "a", "children": [{"name": "b", "children": []}]}, 2),
    ("loose", {"text": " ab ", "by_number": {"7": "x"}}, "ab {7: 'x'} None None"),
    ("either", {"b": 1}, ["b"]),
    ("checked", {"x": 1}, 1),
    ("unparsed", {"days": 2}, "Gent 2"),
    ("both", {"city": "Gent"}, "async Gent 1"),
    ("func_and_coroutine", {"x": 1}, "async 1"),
    ("only_coroutine", {"x": "1"}, "async 1"),
    ("Constructed", {"x": 1}, {"x": 1, "y": "why"}),
    ("on_runnable", {"a": 2}, 4),
    ("text_as_tool", {"tool_input": "a"}, "A"),
    ("text_as_tool", {"__arg1": "a"}, "A"),
    ("text_as_tool", {"input": "a"}, "A"),
    ("as_adapters_make_it", {"city": "Gent"}, [[{"type": "text", "text": "Gent"}], {"n": 1}]),
    ("legacy_with_schema", {"query": "ab"}, "abab"),
    ("keeps_callbacks", {"x": 1}, "1 CallbackManager"),
    ("variadic_more", {"x": 1}, "1 () {}"),
    ("variadic_more", {"x": 1, "args": [1], "kwargs": {"y": 1}}, "1 () {}"),
    ("returning_generator", {"upto": 2}, "counted"),
    ("CallableObject", {"name": "Ada"}, "hello Ada"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("name", "args", "expected"), CALLS)
def test_a_call_gives_what_the_function_returned(
    name: str, args: dict[str, Any], expected: Any, way: str
) -> None:
    assert raw(run(name, Call(args), way)) == expected


def test_a_sync_tool_that_hands_on_async_work_is_awaited_and_drained() -> None:
    assert raw(run("returns_awaitable", Call({"x": 1}), "loop")) == "async 1"
    assert raw(run("sync_to_async_generator", Call({"upto": 2}), "loop")) == [0, 1]


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("either", {"c": 1}),
        ("either", {"a": "one"}),
        ("unparsed", {"days": "many"}),
        ("unparsed", {"days": 1, "nobody": 1}),
        ("unparsed", {}),
        ("pydantic_1", {"order": "o"}),
        ("spelt", {"oneOf": 1, "twoOf": 2, "inside": {}}),
        ("loose", {"text": "  a  "}),
    ],
)
def test_broken_arguments_are_a_result_that_names_them(name: str, args: dict[str, Any]) -> None:
    result = run(name, Call(args))
    assert result["isError"] is True
    assert result["_meta"][META_KEY]["error"]["name"] == "ValidationError"


def test_our_own_check_takes_langchain_s_way_of_a_broken_argument() -> None:
    for args in ({"x": 0}, {"x": 1, "y": 2}, {}):
        assert text(run("checked", Call(args))) == "Tool input validation error"


@pytest.mark.parametrize("name", ["retriever", "retriever_pair"])
def test_a_retriever_gives_its_pages(name: str) -> None:
    result = run(name, Call({"query": "first page"}))
    assert set(text(result).split("\n\n")) == {"first page", "second page"}
    if name == "retriever_pair":
        documents = result["_meta"][META_KEY]["artifact"]
        assert {one["page_content"] for one in documents} == {"first page", "second page"}
        assert result["structuredContent"] == documents


def test_aliases_are_published_where_the_parser_reads_them() -> None:
    schema = published("spelt")
    assert set(schema["properties"]) == {"oneOf", "twoOf", "threeOf", "inside"}
    assert schema["required"] == ["oneOf", "twoOf", "inside"]
    inside = schema["properties"]["inside"]
    assert inside["required"] == ["four"]
    assert inside["properties"]["list"]["prefixItems"][1]["type"] == "string"


def test_a_recursive_model_shows_its_arguments_at_the_root() -> None:
    schema = published("recursive")
    assert set(schema["properties"]) == {"name", "children"}
    assert schema["$defs"]["Node"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}


def test_a_model_of_pydantic_1_is_published_in_the_newest_dialect() -> None:
    schema = published("pydantic_1")
    assert schema["properties"]["nested"]["items"] == {"$ref": "#/$defs/OldItem"}
    assert [part["type"] for part in schema["properties"]["pair"]["prefixItems"]] == [
        "integer",
        "string",
    ]


def test_arguments_that_json_cannot_fill_are_not_offered() -> None:
    assert set(published("loose")["properties"]) >= {"text", "by_number"}
    assert published("loose")["properties"]["text"]["pattern"]
    assert "pattern" in published("loose")["properties"]["by_number"]["propertyNames"]


SPOOFED: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any], str]] = [
    ("hidden", {"x": 1}, {"user": "ada"}, {"who": "evil"}, "1 ada"),
    ("hidden", {"x": 1}, {"user": "ada"}, {"whoever": "evil"}, "1 ada"),
    ("hidden", {"x": 1}, {"user": "ada"}, {"user": "evil"}, "1 ada"),
    ("hidden_old", {"x": 1}, {"user": "ada"}, {"user": "evil"}, "1 ada"),
    ("stateful", {"x": 1}, {"state": {"a": 2}}, {"state": {"a": "evil"}}, "1 2"),
    ("part_of_state", {"x": 1}, {"a": 2}, {"a": 3}, "1 2"),
    (
        "with_runtime",
        {"x": 1},
        {"runtime": {"context": {"user": "ada"}, "state": {"count": 4}}},
        {"runtime": {"context": {"user": "evil"}}},
        "1 ada 4 True",
    ),
    ("runtime_method", {"x": 1}, {"runtime": {"state": {"a": 1}}}, {"runtime": {}}, "1 {'a': 1}"),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("name", "args", "inject", "spoof", "expected"), SPOOFED)
def test_an_injected_argument_is_the_host_s_and_nobody_else_s(
    name: str, args: Any, inject: Any, spoof: Any, expected: str, way: str
) -> None:
    assert set(published(name)["properties"]) == {"x"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**args, **spoof}, published(name))

    spoofed = run(name, Call({**args, **spoof}, inject), way)
    assert spoofed["isError"] is True
    assert "may not be sent" in text(spoofed)
    assert raw(run(name, Call(args, inject), way)) == expected
    with pytest.raises(RequestError, match="host to inject"):
        run(name, Call(args), way)


def test_a_wrong_context_is_the_host_s_error() -> None:
    with pytest.raises(RequestError, match="injected runtime"):
        run("with_runtime", Call({"x": 1}, {"runtime": {"context": {}, "state": {"count": 1}}}))


def test_what_a_tool_writes_to_its_runtime_is_progress() -> None:
    seen: list[tuple[int, str]] = []
    inject = {"runtime": {"context": {"user": "ada"}, "state": {"count": 1}}}
    run("with_runtime", Call({"x": 1}, inject, progress=lambda n, told: seen.append((n, told))))
    assert seen == [(1, "writing")]


def test_python_code_of_the_host_can_bind_what_json_cannot_and_wins_over_json() -> None:
    binding = Binding(gallery.INJECTED)
    tools, unsupported = bridge(
        load_tools(["gallery:NEED_STORE", "gallery:hidden_old"]), binding.binds
    )
    assert unsupported == []
    results = [
        call_in_thread(bridged, Call({"x": 1}, inject, binding), _no_loop)
        for bridged, inject in zip(tools, ({}, {"user": "from json"}), strict=True)
    ]
    assert [raw(result) for result in results] == ["1 the store", "1 bound"]
    assert all(bridged.contract.injected == [] for bridged in tools)


def test_a_store_is_never_taken_from_json() -> None:
    binding = Binding(lambda _tool, argument: {}[argument])
    tools, _ = bridge(load_tools(["gallery:NEED_STORE"]), binding.binds)
    with pytest.raises(RequestError, match="store"):
        call_in_thread(tools[0], Call({"x": 1}, {"store": "evil"}, binding), _no_loop)


def test_the_trace_context_is_in_the_config_s_metadata() -> None:
    trace = {"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"}
    assert raw(run("reads_trace", Call({}, trace=trace))) == trace["traceparent"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("error_false", {"text": "no"}, "no"),
        ("error_false", {"text": ""}, "ToolException"),
        ("error_true", {"text": "no"}, "no"),
        ("error_true", {"text": ""}, "Tool execution error"),
        ("error_text", {"text": "no"}, "sorry"),
        ("error_callable", {"text": "no"}, "caught no"),
        ("error_blocks", {"text": "no"}, "block no"),
        ("invalid_false", {"x": "a"}, "1 validation error"),
        ("invalid_true", {"x": "a"}, "Tool input validation error"),
        ("invalid_text", {}, "wrong"),
        ("invalid_callable", {}, "1 wrong"),
        ("raises_group", {}, "Unprintable"),
        ("not_a_pair", {}, "two-tuple"),
    ],
)
def test_each_way_to_fail_is_an_error_result(
    name: str, args: dict[str, Any], expected: str, way: str
) -> None:
    result = run(name, Call(args), way)
    assert result["isError"] is True
    assert expected in text(result)
    assert "structuredContent" not in result


@pytest.mark.parametrize(
    "name", ["commands", "command_list", "sends", "interrupts", "interrupts_async"]
)
def test_what_only_a_graph_can_do_is_refused_with_a_hint_and_kept(name: str) -> None:
    args = {"question": "sure?"} if name.startswith("interrupt") else {}
    result = run(name, Call(args))
    assert result["isError"] is True
    assert "only a running graph" in text(result)
    if name == "commands":
        assert result["_meta"][META_KEY]["raw"]["update"] == {"a": 1}


def test_messages_built_by_hand_are_content_and_their_status_counts() -> None:
    good = run("messages", Call({"status": "success"}))
    bad = run("messages", Call({"status": "error"}))
    one = run("message_with_artifact", Call({}))
    assert (good["isError"], text(good)) == (False, "one\ntwo")
    assert (bad["isError"], text(bad)) == (True, "one\ntwo")
    assert (text(one), one["structuredContent"]) == ("shown", {"k": 1})


def test_the_last_item_of_a_generator_with_an_artifact_is_its_result() -> None:
    result = run("pair_generator", Call({}))
    assert text(result) == "done"
    assert result["structuredContent"] == {"items": 1}


def test_a_cancelled_generator_is_read_no_further() -> None:
    call = Call({"upto": 10**9})

    def cancel_at_three(done: int, _text: str) -> None:
        call.cancelled = done == 3

    call.progress = cancel_at_three
    assert "cancelled" in text(run("returning_generator", call))


@pytest.mark.parametrize("kind", gallery.ODD)
def test_any_value_becomes_valid_json_with_the_raw_value_kept(kind: str) -> None:
    result = run("odd", Call({"kind": kind}))
    assert result["isError"] is False
    meta = result["_meta"][META_KEY]
    assert meta["lossy"] is (kind not in ("surrogate", "generator"))
    assert meta["raw"] is not None or kind in ("nan", "inf")


def test_arrays_and_scalars_of_numpy_are_numbers() -> None:
    assert raw(run("odd", Call({"kind": "array"}))) == [[1, 2], [3, 4]]
    assert raw(run("odd", Call({"kind": "scalar"}))) == 0.5
    assert raw(run("odd", Call({"kind": "nan_array"}))) == [
        {"$type": "number", "value": "NaN"},
        1.0,
    ]
    big = {"$type": "bigint", "value": str(2**60)}
    assert raw(run("odd", Call({"kind": "big_scalar"}))) == big


#: LangChain shows these as the repr of an object, and the JSON text is better.
OBJECTS = ("as_adapters_make_it", "Constructed", "returning_generator")


@pytest.mark.parametrize("name", [name for name, *_ in CALLS if name not in OBJECTS])
def test_the_result_equals_a_direct_invoke(name: str) -> None:
    tool: BaseTool = BY_NAME[name].tool
    args = next(args for one, args, _ in CALLS if one == name)
    envelope = {"type": "tool_call", "id": "1", "name": name, "args": dict(args)}
    direct = asyncio.run(tool.ainvoke(envelope))
    shown = text(run(name, Call(args)))
    same = direct.content if isinstance(direct.content, str) else json.dumps(direct.content)
    assert json.loads(shown) == json.loads(same) if same[:1] in "[{" else shown == same
