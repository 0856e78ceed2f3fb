import asyncio
from typing import Any

import pytest

from twintrack_bridge.call import Call, call_on_loop
from twintrack_bridge.contract import bridge
from twintrack_bridge.errors import RequestError
from twintrack_bridge.loading import load_tools
from twintrack_bridge.result import META_KEY

BY_NAME = {b.contract.original_name: b for b in bridge(load_tools(["shapes:ALL"]))[0]}


def call(name: str, inject: dict[str, Any] | None = None, /, **args: Any) -> dict[str, Any]:
    return asyncio.run(call_on_loop(BY_NAME[name], Call(args, inject or {})))


def raw(result: dict[str, Any]) -> Any:
    assert result["isError"] is False, result
    return result["_meta"][META_KEY]["raw"]


def text(result: dict[str, Any]) -> str:
    return result["content"][0]["text"]


ORDER = {"orderId": "o1", "address": {"street": "S", "zipCode": "9"}}


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("add", {"a": 1}, 3),
        ("add", {"a": "1", "b": 1.0}, 2),
        ("weather", {"city": "Gent"}, {"city": "Gent", "degrees": 21.5}),
        ("place_order", ORDER, {"shown": "o1 S 9 1 RED None"}),
        ("receipt", {"order_id": "o1"}, {"order_id": "o1", "total": 12.0}),
        ("legacy", {"tool_input": "abc"}, "cba"),
        ("legacy", {"__arg1": "abc"}, "cba"),
        ("legacy_decorated", {"tool_input": "abc"}, "ABC"),
        ("from_dict", {"x": 4}, 8),
        ("from function!", {"query": "q"}, "sync q"),
        ("subclass", {"city": "Gent", "days": 2}, ["Gent 0", "Gent 1"]),
        ("async_only", {"text": "t"}, "async t"),
        ("variadic", {"x": 1}, 1),
        ("no_arguments", {}, "nothing"),
        ("with_config", {"x": 1}, "1 True"),
        ("with_artifact", {"x": 5}, ["5 degrees", {"city": "Gent", "degrees": 5.0}]),
        ("counting", {"upto": 3}, [0, 1, 2]),
        ("counting_slowly", {"upto": 2}, ["n0", "n1"]),
        ("plain", {"name": "Ada", "times": 2}, "hello Ada, hello Ada"),
        ("as_tool", {"text": "abc"}, 1),
    ],
)
def test_every_shape_can_be_called(name: str, args: dict[str, Any], expected: Any) -> None:
    assert raw(call(name, **args)) == expected


def test_a_string_is_one_text_block_unchanged() -> None:
    assert call("no_arguments")["content"] == [{"type": "text", "text": "nothing"}]


def test_a_dict_is_json_text_and_structured_content() -> None:
    result = call("weather", city="Gent")
    assert text(result) == '{"city":"Gent","degrees":21.5}'
    assert result["structuredContent"] == {"city": "Gent", "degrees": 21.5}


def test_an_artifact_is_structured_content_and_the_text_is_the_content() -> None:
    result = call("with_artifact", x=5)
    assert text(result) == "5 degrees"
    assert result["structuredContent"] == {"city": "Gent", "degrees": 5.0}
    assert result["_meta"][META_KEY]["artifact"] == {"city": "Gent", "degrees": 5.0}


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("fails", {"text": "do"}, "cannot do"),
        ("handled", {"text": "it"}, "handled it"),
        ("exits", {}, "3"),
        ("legacy", {"a": "1", "b": "2"}, "Too many arguments"),
    ],
)
def test_a_failed_tool_is_an_error_result_without_structure(
    name: str, args: dict[str, Any], expected: str
) -> None:
    result = call(name, **args)
    assert result["isError"] is True
    assert "structuredContent" not in result
    assert expected in text(result)


def test_refused_arguments_are_an_error_result() -> None:
    result = call("add", a="many")
    assert result["isError"] is True
    assert result["_meta"][META_KEY]["error"]["name"] == "ValidationError"


def test_an_injected_argument_from_the_caller_is_refused() -> None:
    result = call("whose", {"user_id": "ada"}, x=1, user_id="evil")
    assert result["isError"] is True
    assert "user_id" in text(result)


def test_an_injected_argument_comes_from_the_host() -> None:
    assert raw(call("whose", {"user_id": "ada"}, x=1)) == "1 of ada"


def test_a_missing_or_unknown_injection_is_an_error_of_the_call() -> None:
    with pytest.raises(RequestError, match="user_id"):
        call("whose", x=1)
    with pytest.raises(RequestError, match="nobody"):
        call("add", {"nobody": 1}, a=1)


def test_the_tool_call_id_is_filled_and_a_hand_made_message_is_content() -> None:
    result = call("with_call_id", x=7)
    assert result["isError"] is False
    assert text(result) == "x is 7"


def test_an_argument_that_looks_like_an_envelope_is_an_argument() -> None:
    result = call("from_dict", x=3, type="tool_call", args={"x": 100}, id="1", name="from_dict")
    assert result["isError"] is True  # `type` is no argument of the function.


@pytest.mark.parametrize(
    ("kind", "mime"), [("openai", "image/png"), ("anthropic", "image/jpeg"), ("v1", "image/gif")]
)
def test_content_blocks_of_every_dialect_become_mcp_content(kind: str, mime: str) -> None:
    result = call("blocks", kind=kind)
    assert result["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image", "data": "AAAA", "mimeType": mime},
    ]
    assert "structuredContent" not in result


def test_values_without_a_json_form_are_converted_and_reported() -> None:
    result = call("odd_values")
    assert result["_meta"][META_KEY]["lossy"] is True
    assert raw(result) == {
        "nan": {"$type": "number", "value": "NaN"},
        "big": {"$type": "bigint", "value": str(2**70)},
        "bytes": "//4=",
        "set": [1, 2, 3],
        "date": "2024-02-29",
        "enum": "blue",
        "point": {"x": 1, "y": 2.0},
        "document": {"id": None, "metadata": {"k": 1}, "page_content": "text", "type": "Document"},
        '["a",1]': "tuple key",
    }


def test_each_item_of_a_generator_is_progress() -> None:
    seen: list[tuple[int, str]] = []
    call = Call({"upto": 2}, progress=lambda n, t: seen.append((n, t)))
    asyncio.run(call_on_loop(BY_NAME["counting"], call))
    assert seen == [(1, "0"), (2, "1")]


def test_the_user_s_tool_object_is_not_changed() -> None:
    tool = BY_NAME["subclass"].tool
    assert tool._injected_args_keys == frozenset()  # LangChain's own cache, which this fills.
    before = dict(tool.__dict__)
    call("subclass", city="Gent")
    assert tool.__dict__ == before
