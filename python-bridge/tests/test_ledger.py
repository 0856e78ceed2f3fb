"""The ledger's rule, from the vectors that the TypeScript core reads too."""

import json
from pathlib import Path
from typing import Any

import pytest

from twintrack_bridge.ledger import AnswerBook, Recorded, Refused, canonical_text

VECTORS = json.loads(
    (Path(__file__).parents[2] / "fixtures/vectors/ledger.json").read_text(encoding="utf-8")
)


def titled(vectors: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(vector, id=vector["title"]) for vector in vectors]


def shown(answer: object) -> Any:
    if isinstance(answer, Recorded):
        return answer.call["value"]
    return "refused" if isinstance(answer, Refused) else "unrecorded"


@pytest.mark.parametrize("vector", titled(VECTORS["canonicalTexts"]))
def test_canonical_text(vector: dict[str, Any]) -> None:
    assert canonical_text(vector["value"]) == vector["text"]


@pytest.mark.parametrize("vector", titled(VECTORS["books"]))
def test_answer_book(vector: dict[str, Any]) -> None:
    book = AnswerBook(vector["recording"], vector.get("free"))

    answers = [shown(book.answer(c["tool"], c["args"], c["effect"])) for c in vector["asked"]]

    assert answers == [call["answer"] for call in vector["asked"]]
    assert [call["value"] for call in book.unused()] == vector["unused"]
