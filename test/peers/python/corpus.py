"""LangChain's own tool tests as a corpus: what we publish for each tool that they construct.

Usage: corpus.py PATH_TO/tests/unit_tests/test_tools.py [--json]
The path is that of langchain-core's source distribution, unpacked; nothing of it is kept here:

    pip download --no-deps --no-binary :all: langchain-core==1.6.5
    tar xzf langchain_core-1.6.5.tar.gz

Runs those tests, keeps every tool that is constructed, and compares its contract with LangChain's
own `tool_call_schema`. Each difference has to have a reason from `REASONS`; the exit code is 3
when one has none, or when there were no tools.
"""

import argparse
import asyncio
import inspect
import json
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from langchain_core.tools import BaseTool

ROOT = Path(__file__).parent.parent.parent.parent
sys.path.insert(0, str(ROOT / "python-bridge" / "src"))

from twintrack_bridge.contract import contract_of  # noqa: E402
from twintrack_bridge.injection import refused_names, reserved_names  # noqa: E402
from twintrack_bridge.schema import synthetic_names  # noqa: E402
from twintrack_bridge.signature import is_single_input  # noqa: E402

ABSENT: Any = type("Absent", (), {"__repr__": lambda _: "nothing"})()


class Difference(NamedTuple):
    """One place where the contract and LangChain's schema differ."""

    tool: BaseTool
    path: tuple[str, ...]
    ours: Any
    theirs: Any

    @property
    def key(self) -> str:
        return self.path[-1] if self.path else ""


@dataclass(frozen=True)
class Reason:
    """Why a difference is right."""

    name: str
    because: str
    explains: Callable[[Difference], bool]


def _is_property(difference: Difference) -> bool:
    return len(difference.path) == 2 and difference.path[0] == "properties"


def _spelt(difference: Difference) -> bool:
    fields = getattr(difference.tool.args_schema, "model_fields", {})
    aliased = {name for name, field in fields.items() if field.validation_alias or field.alias}
    aliases = {str(fields[name].validation_alias or fields[name].alias) for name in aliased}
    if _is_property(difference):
        return difference.key in aliased | aliases
    return difference.path[:1] == ("required",) and bool(aliased)


REASONS = [
    Reason(
        "dialect",
        "the dialect is declared, so that no reader has to guess it",
        lambda d: d.path == ("$schema",),
    ),
    Reason(
        "name and description",
        "MCP has fields of its own for them, beside the schema",
        lambda d: d.path in (("title",), ("description",)) and d.ours is ABSENT,
    ),
    Reason(
        "one text",
        "LangChain publishes the parameters of `_run` (args, config, the whole RunnableConfig) for "
        "a legacy Tool; what it takes is one text",
        lambda d: is_single_input(d.tool) and d.tool.args_schema is None,
    ),
    Reason(
        "not of the caller",
        "`*args`, `**kwargs`, config, run_manager and callbacks: LangChain publishes them, but a "
        "value sent for one never arrives as such",
        lambda d: (
            _is_property(d)
            and d.ours is ABSENT
            and d.key in reserved_names(d.tool) | synthetic_names(d.tool)
        ),
    ),
    Reason(
        "closed",
        "an unknown name would be taken for an injected value, reach a function that LangChain "
        "does not check, or there are no arguments at all",
        lambda d: (
            d.path == ("additionalProperties",)
            and d.ours is False
            and d.theirs is ABSENT
            and (
                bool(refused_names(d.tool)) or d.tool.args_schema is None or _takes_nothing(d.tool)
            )
        ),
    ),
    Reason("spelling", "LangChain drops the aliases that its parser insists on", _spelt),
    Reason(
        "required follows",
        "a property that is not published is not required",
        lambda d: d.path[:1] == ("required",) and _required_follows(d),
    ),
    Reason(
        "an object",
        "the root says that it is an object with properties, because MCP clients look there",
        lambda d: d.path in (("type",), ("properties",)) and d.theirs is ABSENT,
    ),
    Reason(
        "open",
        "further properties are allowed, which is what a schema without the keyword says too",
        lambda d: (
            d.key == "additionalProperties"
            and {d.ours is True, d.theirs is True} == {True, False}
            and ABSENT in (d.ours, d.theirs)
        ),
    ),
    Reason(
        "unused definitions",
        "definitions only of what is not published",
        lambda d: d.path[:1] == ("$defs",) and d.ours is ABSENT,
    ),
    Reason(
        "pydantic 1",
        "draft 7 is published in the newest dialect: definitions are $defs, tuples prefixItems",
        lambda d: (
            not hasattr(d.tool.args_schema, "model_fields")
            and not isinstance(d.tool.args_schema, dict)
            and d.key
            in (
                "definitions",
                "$defs",
                "$ref",
                "items",
                "prefixItems",
                "additionalItems",
            )
        ),
    ),
]


def _takes_nothing(tool: BaseTool) -> bool:
    return contract_of(tool, set()).input_schema["properties"] == {}


def _required_follows(difference: Difference) -> bool:
    hidden = reserved_names(difference.tool) | synthetic_names(difference.tool)
    theirs = difference.theirs if isinstance(difference.theirs, list) else []
    ours = difference.ours if isinstance(difference.ours, list) else []
    return [name for name in theirs if name not in hidden] == ours


def differences(
    tool: BaseTool, ours: Any, theirs: Any, path: tuple[str, ...] = ()
) -> Iterator[Any]:
    """Every place where two schemas differ; `required` and other lists are compared as a whole."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            pair = ours.get(key, ABSENT), theirs.get(key, ABSENT)
            yield from differences(tool, *pair, (*path, key))
    elif _are_branches(ours, theirs):
        for index, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(tool, *pair, (*path, str(index)))
    elif ours != theirs:
        yield Difference(tool, path, ours, theirs)


def _are_branches(ours: Any, theirs: Any) -> bool:
    both = isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs)
    return both and all(isinstance(one, dict) for one in (*ours, *theirs))


class Collector:
    """A pytest plugin: keeps each tool with the test that constructed it."""

    def __init__(self) -> None:
        self.tools: dict[int, tuple[BaseTool, str]] = {}
        self.running = "import"
        self.outcomes: Counter[str] = Counter()
        self._init = BaseTool.__init__

    def __enter__(self) -> Any:
        collector, original = self, self._init

        def init(self: BaseTool, **fields: Any) -> None:
            original(self, **fields)
            collector.tools[id(self)] = (self, collector.running)

        BaseTool.__init__ = init
        return self

    def __exit__(self, *_: object) -> None:
        BaseTool.__init__ = self._init

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.running = nodeid.rpartition("::")[2]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.outcome] += 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        if not inspect.iscoroutinefunction(pyfuncitem.obj):
            return None
        names = inspect.signature(pyfuncitem.obj).parameters
        asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
        return True

    @pytest.fixture
    def snapshot(self) -> Any:
        """The tests that compare with stored snapshots construct their tools before that."""
        return None


def collect(path: Path) -> Collector:
    """All tools that the tests beside `path` construct."""
    sys.path.insert(0, str(path.parents[2]))
    files = sorted(path.parent.glob("test_tools*.py"))
    options = [
        "-q",
        "--noconftest",
        "--no-header",
        "--tb=no",
        "-c",
        "/dev/null",
        "-W",
        "ignore",
    ]
    with Collector() as collector:
        pytest.main([*options, f"--rootdir={path.parents[2]}", *map(str, files)], [collector])
    return collector


def langchain_s(tool: BaseTool) -> dict[str, Any]:
    """What LangChain tells a model."""
    schema: Any = tool.tool_call_schema
    if isinstance(schema, dict):
        return schema
    return schema.model_json_schema() if hasattr(schema, "model_json_schema") else schema.schema()


def compared(tool: BaseTool) -> dict[str, Any]:
    """One tool's row: what is published, and each difference with its reason."""
    try:
        ours = contract_of(tool, set()).input_schema
    except Exception as error:
        return {"unsupported": str(error), "reasons": [], "unexplained": []}
    try:
        theirs = langchain_s(tool)
    except Exception as error:
        return {
            "published": ours,
            "langchain": repr(error),
            "reasons": ["raises"],
            "unexplained": [],
        }
    reasons: list[str] = []
    unexplained: list[Any] = []
    for difference in differences(tool, ours, json.loads(json.dumps(theirs, default=str))):
        reason = next((one.name for one in REASONS if one.explains(difference)), None)
        if reason is None:
            unexplained.append(
                {
                    "at": list(difference.path),
                    "ours": difference.ours,
                    "theirs": difference.theirs,
                }
            )
        elif reason not in reasons:
            reasons.append(reason)
    return {"published": ours, "reasons": reasons, "unexplained": unexplained}


def main() -> int:
    """Print a line for each tool, then the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tests", type=Path)
    parser.add_argument("--json", action="store_true", help="one document instead of lines")
    options = parser.parse_args()
    collector = collect(options.tests.resolve())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = [
            {
                "test": test,
                "tool": str(tool.name),
                "kind": type(tool).__name__,
                **compared(tool),
            }
            for tool, test in collector.tools.values()
        ]
    print(json.dumps(rows, indent=1, default=repr) if options.json else _lines(rows))
    counts = Counter(reason for row in rows for reason in row["reasons"])
    unexplained = sum(len(row["unexplained"]) for row in rows)
    print(f"tests {dict(collector.outcomes)}", file=sys.stderr)
    print(
        f"{len(rows)} tools, {sum('unsupported' in row for row in rows)} unsupported, "
        f"{sum('published' in row and not row['reasons'] for row in rows)} without a difference, "
        f"{unexplained} differences unexplained",
        file=sys.stderr,
    )
    for reason in REASONS:
        print(
            f"  {counts[reason.name]:4} {reason.name}: {reason.because}",
            file=sys.stderr,
        )
    print(
        f"  {counts['raises']:4} raises: LangChain itself has no schema",
        file=sys.stderr,
    )
    return 3 if unexplained or not rows else 0


def _lines(rows: list[dict[str, Any]]) -> str:
    return "\n".join(
        f"{row['test']} · {row['tool']} ({row['kind']}): "
        + (f"unsupported, {row['unsupported']}" if "unsupported" in row else _differs(row))
        for row in rows
    )


def _differs(row: dict[str, Any]) -> str:
    names = ", ".join(row["published"]["properties"]) or "no arguments"
    unexplained = "".join(f"\n    UNEXPLAINED {one}" for one in row["unexplained"])
    return f"{names}; differs in {', '.join(row['reasons']) or 'nothing'}{unexplained}"


if __name__ == "__main__":
    sys.exit(main())
