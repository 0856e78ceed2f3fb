import json
from pathlib import Path
from typing import Any

import pytest

from twintrack_bridge.model_request import model_request, model_response

_FILE = Path(__file__).parents[2] / "fixtures/vectors/model.json"
_VECTORS = json.loads(_FILE.read_text())


def _titles(name: str) -> Any:
    return pytest.mark.parametrize("vector", _VECTORS[name], ids=lambda v: v["title"])


@_titles("requests")
def test_a_request_is_told_in_one_form(vector: dict[str, Any]) -> None:
    told = model_request(vector["model"], vector["messages"], vector["params"], vector["options"])

    assert told == vector["request"]


@_titles("responses")
def test_a_response_is_told_in_one_form(vector: dict[str, Any]) -> None:
    assert model_response(vector["message"], vector["output"]) == vector["response"]
