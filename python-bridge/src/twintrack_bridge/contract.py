"""A tool's contract: its legal name, its schemas, and what its host has to fill."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .errors import message_of
from .injection import Injected, injected_arguments, reserved_names
from .loading import Tool, Unsupported
from .schema import input_schema, output_schema
from .signature import body_of, config_parameter, implementations, is_single_input, required_names
from .value import JsonObject

META_KEY = "twintrack/contract"

_NAME_LENGTH = 64
_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True)
class Contract:
    """What a caller has to know of a tool."""

    name: str
    original_name: str
    description: str
    input_schema: JsonObject
    output_schema: JsonObject | None
    injected: list[Injected] = field(default_factory=list[Injected])

    def as_mcp(self, *, any_output: bool = False) -> JsonObject:
        """The tool as an entry of MCP's `tools/list`.

        Before revision 2026-07-28 (`any_output`) the root of an output schema was an object;
        another one is listed beside the contract, for a host that can use it.
        """
        meta: JsonObject = {"originalName": self.original_name}
        needed = [{"name": i.name, "required": i.required} for i in self.injected]
        if needed:
            meta["injected"] = needed
        listed: JsonObject = {
            "name": self.name,
            "title": self.original_name,
            "description": self.description,
            "inputSchema": self.input_schema,
            "_meta": {META_KEY: meta},
        }
        output = self.output_schema
        if output is not None:
            is_object = output.get("type") == "object"
            (listed if is_object or any_output else meta)["outputSchema"] = output
        return listed


@dataclass(frozen=True)
class Bridged:
    """A tool with its contract."""

    tool: Tool
    contract: Contract
    #: All of them, also those that `--inject` gives.
    injected: list[Injected] = field(default_factory=list[Injected])


#: Whether the host's own Python code gives this argument of this tool.
Binds = Callable[[str, str], bool]


def binds_nothing(_tool: str, _argument: str) -> bool:
    """There is no `--inject`."""
    return False


def bridge(
    loaded: list[Tool | Unsupported], binds: Binds = binds_nothing
) -> tuple[list[Bridged], list[Unsupported]]:
    """Contracts for all tools; what has none is returned with the reason."""
    bridged: list[Bridged] = []
    unsupported: list[Unsupported] = []
    taken: set[str] = set()
    for item in loaded:
        if isinstance(item, Unsupported):
            unsupported.append(item)
            continue
        try:
            contract = contract_of(item, taken, binds)
            bridged.append(Bridged(item, contract, injected_arguments(item)))
        except Exception as error:
            unsupported.append(Unsupported(str(item.name), message_of(error)))
    return bridged, unsupported


def contract_of(tool: Tool, taken: set[str], binds: Binds = binds_nothing) -> Contract:
    """The tool's contract, under a name not in `taken`, to which it is added.

    Raises:
        ValueError: the tool cannot be called through the bridge; the message says why.
    """
    injected = injected_arguments(tool)
    _refuse_unbound(tool, injected, binds)
    _refuse_undelivered(tool)
    schema = input_schema(tool)
    unfilled = [one for one in injected if one.kind != "call_id"]
    return Contract(
        name=legal_name(str(tool.name), taken),
        original_name=str(tool.name),
        description=str(tool.description or ""),
        input_schema=schema,
        output_schema=output_schema(tool),
        injected=[one for one in unfilled if not binds(str(tool.name), one.name)],
    )


def legal_name(original: str, taken: set[str]) -> str:
    """A name of `[A-Za-z0-9_-]{1,64}` that is not taken; a changed name carries a hash."""
    name = _ILLEGAL.sub("_", original)
    if name != original or not 1 <= len(name) <= _NAME_LENGTH:
        name = _with_suffix(
            name, hashlib.sha256(original.encode("utf-8", "replace")).hexdigest()[:8]
        )
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = _with_suffix(name, str(number)), number + 1
    taken.add(candidate)
    return candidate


def _with_suffix(name: str, suffix: str) -> str:
    return f"{name[: _NAME_LENGTH - len(suffix) - 1]}_{suffix}"


def _refuse_unbound(tool: Tool, injected: list[Injected], binds: Binds) -> None:
    for one in injected:
        if one.kind == "store" and one.required and not binds(str(tool.name), one.name):
            raise ValueError(
                f"argument {one.name} needs binding: it is a store, which only Python code of "
                "yours can give; start the bridge with --inject package.module:attribute"
            )


def _refuse_undelivered(tool: Tool) -> None:
    for function in implementations(tool):
        for parameter in _parameters(function):
            if parameter.kind is inspect.Parameter.POSITIONAL_ONLY and not is_single_input(tool):
                raise ValueError(
                    f"argument {parameter.name} is positional-only; LangChain passes names"
                )
    name = _undelivered(tool)
    if name == "config":
        raise ValueError('an argument may not be called "config": LangChain takes the name')
    if name is not None:
        raise ValueError(f"argument {name} is required, but LangChain never passes it")


def _undelivered(tool: Tool) -> str | None:
    """A required parameter of the tool's function that no call through LangChain fills."""
    if not (hasattr(tool, "func") or hasattr(tool, "coroutine")):
        return None
    if is_single_input(tool) and tool.args_schema is None:
        return _beyond_the_first(tool)
    fields = _field_names(tool)
    if fields is None:
        return None
    passed = (fields | reserved_names(tool)) - {"run_manager"}
    if config_parameter(body_of(tool)) != "config":
        passed -= {"config"}
    wanted = (name for function in implementations(tool) for name in required_names(function))
    return next((name for name in wanted if name not in passed), None)


def _field_names(tool: Tool) -> set[str] | None:
    schema = tool.args_schema
    fields = getattr(schema, "model_fields", None)
    if not isinstance(fields, dict):
        fields = getattr(schema, "__fields__", None)
    return set(fields) if isinstance(fields, dict) else None


def _beyond_the_first(tool: Tool) -> str | None:
    for function in implementations(tool):
        filled = ("callbacks", config_parameter(function))
        wanted = [name for name in required_names(function) if name not in filled]
        if len(wanted) > 1:
            return wanted[1]
    return None


def _parameters(function: Any) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []
