import json
import re
from typing import Any

import pytest

import shapes
from twintrack_bridge.contract import Bridged, bridge, legal_name
from twintrack_bridge.loading import Unsupported, load_tools

TOOLS, REFUSED = bridge(load_tools(["shapes:ALL"]))
BY_NAME = {bridged.contract.original_name: bridged for bridged in TOOLS}


def schema(name: str) -> dict[str, Any]:
    return BY_NAME[name].contract.input_schema


def test_every_shape_has_a_contract_whose_root_is_an_object() -> None:
    assert REFUSED == []
    assert len(TOOLS) == len(shapes.ALL)
    for bridged in TOOLS:
        assert bridged.contract.input_schema["type"] == "object", bridged.contract.name
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", bridged.contract.name)
        json.dumps(bridged.contract.as_mcp(), allow_nan=False)


def test_a_field_with_a_default_is_optional() -> None:
    assert schema("add")["required"] == ["a"]
    assert schema("add")["properties"]["b"]["default"] == 2


def test_aliases_are_published_as_the_parser_wants_them() -> None:
    assert set(schema("place_order")["properties"]) == {
        "orderId", "address", "count", "color", "note",
    }  # fmt: skip
    assert "zipCode" in schema("place_order")["$defs"]["Address"]["properties"]


def test_injected_arguments_are_not_published_but_their_need_is() -> None:
    assert set(schema("whose")["properties"]) == {"x"}
    assert set(schema("with_call_id")["properties"]) == {"x"}
    assert set(schema("with_config")["properties"]) == {"x"}
    meta = BY_NAME["whose"].contract.as_mcp()["_meta"]["twintrack/contract"]
    assert meta["injected"] == [{"name": "user_id", "required": True}]


def test_variadic_parameters_are_not_published() -> None:
    assert set(schema("variadic")["properties"]) == {"x"}


def test_a_legacy_tool_takes_one_string() -> None:
    for name in ("legacy", "legacy_decorated"):
        assert schema(name)["properties"] == {"tool_input": {"type": "string"}}
        assert schema(name)["required"] == ["tool_input"]


def test_a_dict_schema_goes_through_unchanged() -> None:
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    assert schema("from_dict") == dialect | shapes.from_dict.args_schema


def test_a_tool_without_arguments_admits_none() -> None:
    assert schema("no_arguments") == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }


def test_a_subclass_without_schema_gets_one_from_its_signature() -> None:
    assert set(schema("subclass")["properties"]) == {"city", "days"}
    assert schema("subclass")["required"] == ["city"]
    assert set(schema("async_only")["properties"]) == {"text"}


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("receipt", {"order_id", "total"}),
        ("weather", {"city", "degrees"}),
        ("with_artifact", {"city", "degrees"}),
    ],
)
def test_a_concrete_return_annotation_is_the_output_schema(name: str, fields: set[str]) -> None:
    output = BY_NAME[name].contract.output_schema
    assert output is not None
    assert set(output["properties"]) == fields


@pytest.mark.parametrize("name", ["fails", "odd_values", "place_order"])
def test_an_annotation_that_says_nothing_gives_no_output_schema(name: str) -> None:
    assert BY_NAME[name].contract.output_schema is None


def test_before_2026_an_output_schema_that_is_no_object_is_only_told_beside_the_contract() -> None:
    contract = BY_NAME["subclass"].contract
    listed, modern = contract.as_mcp(), contract.as_mcp(any_output=True)
    assert "outputSchema" not in listed
    assert listed["_meta"]["twintrack/contract"]["outputSchema"]["type"] == "array"
    assert modern["outputSchema"]["items"] == {"type": "string"}


def test_what_cannot_be_bridged_is_listed_with_its_reason_and_hides_nothing() -> None:
    tools, unsupported = bridge(load_tools(["shapes:BAD", "shapes:add"]))

    assert [bridged.contract.name for bridged in tools] == ["add"]
    reasons = {one.name: one.reason for one in unsupported}
    assert len(unsupported) == len(shapes.BAD)
    assert "without code" in reasons["web_search"]
    assert "positional-only" in reasons["positional"]
    assert "config" in reasons["takes_config"]
    assert "as_tool" in reasons["BAD[3]"]
    assert "int" in reasons["BAD[4]"]


def test_a_toolkit_is_expanded() -> None:
    names = [getattr(one, "name", one) for one in load_tools(["shapes:Kit.__call__"])] or []
    assert all(isinstance(one, Unsupported) or one for one in names)
    import shapes as module

    module.KIT = module.Kit()  # type: ignore[attr-defined]
    assert [tool.name for tool in load_tools(["shapes:KIT"])] == ["add", "legacy"]


def test_illegal_and_equal_names_become_legal_and_unique() -> None:
    taken: set[str] = set()
    first, second = legal_name("find order", taken), legal_name("find_order", taken)
    third, fourth = legal_name("find_order", taken), legal_name("x" * 100, taken)

    assert len({first, second, third, fourth}) == 4
    assert second == "find_order"
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in taken)


def test_a_name_does_not_depend_on_what_else_is_listed() -> None:
    assert legal_name("from function!", set()) == legal_name("from function!", {"other"})
    assert isinstance(BY_NAME["from function!"], Bridged)
