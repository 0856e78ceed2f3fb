"""What a LangChain model is asked and what it answers, in the form of `core/model.ts`.

The twin of `adapter/model-request.ts` and `adapter/model-response.ts`; both languages read
`fixtures/vectors/model.json`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from .value import JsonObject, JsonValue, to_json

_ROLES = {"human": "user", "ai": "assistant", "HumanMessageChunk": "user"}
_CALL_BLOCKS = {"tool_use", "tool_call", "function_call", "functionCall"}

_PARAMETERS = {
    "temperature": "temperature",
    "top_p": "topP",
    "topP": "topP",
    "top_k": "topK",
    "topK": "topK",
    "max_tokens": "maxTokens",
    "maxTokens": "maxTokens",
    "max_completion_tokens": "maxTokens",
    "max_output_tokens": "maxTokens",
    "maxOutputTokens": "maxTokens",
    "num_predict": "maxTokens",
    "numPredict": "maxTokens",
    "stop": "stop",
    "stop_sequences": "stop",
    "stopSequences": "stop",
    "seed": "seed",
    "frequency_penalty": "frequencyPenalty",
    "frequencyPenalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
    "presencePenalty": "presencePenalty",
    "tool_choice": "toolChoice",
    "toolChoice": "toolChoice",
    "tool_config": "toolChoice",
    "toolConfig": "toolChoice",
    "function_call": "toolChoice",
    "response_format": "responseFormat",
    "responseFormat": "responseFormat",
    "format": "responseFormat",
}
_MODEL_NAMES = ("model", "model_name", "modelName", "model_id", "modelId", "deployment_name")
_TOOL_LISTS = ("tools", "functions")
_NOT_ASKED = re.compile(
    r"^(_.*|ls_.*|stream.*|signal|timeout.*|callbacks|tags|metadata|user|batch_size|promptIndex"
    r"|cache|verbose|max_?retries|request_timeout|n_ctx)$",
    re.IGNORECASE,
)
_SECRET = re.compile(
    r"api_?key|secret|authorization|headers|password|credential|access_?token", re.IGNORECASE
)


def model_request(
    model: str, messages: Sequence[Any], params: dict[str, Any], options: dict[str, Any]
) -> JsonObject:
    """A request in the one form: `params` of the provider, `options` of the call."""
    known = {k: v for k, v in options.items() if k in _PARAMETERS or k in _TOOL_LISTS}
    asked = {k: v for k, v in params.items() if not _NOT_ASKED.match(k) and not _SECRET.search(k)}
    given = {k: to_json(v).value for k, v in {**known, **asked}.items() if v is not None}
    names = [given[name] for name in _MODEL_NAMES if isinstance(given.get(name), str)]
    ids = _call_ids()
    return {
        "model": names[0] if names and names[0] else model,
        "messages": [_message(message, ids) for message in messages],
        "tools": [tool for name in _TOOL_LISTS for tool in _tools(given.get(name))],
        "params": _params(given),
    }


def _params(given: JsonObject) -> JsonObject:
    params: JsonObject = {}
    for name, value in given.items():
        if name not in _MODEL_NAMES and name not in _TOOL_LISTS:
            params[_PARAMETERS.get(name, name)] = value
    stop = params.pop("stop", None)
    if stop:
        params["stop"] = stop if isinstance(stop, list) else [stop]
    return params


def _call_ids() -> Callable[[Any], str]:
    """Providers draw ids at random; in order of appearance two equal requests agree."""
    numbers: dict[Any, str] = {}
    return lambda given: numbers.setdefault(given, f"call_{len(numbers)}")


def _message(message: Any, ids: Callable[[Any], str]) -> JsonObject:
    if isinstance(message, str):
        return {"role": "user", "content": message}
    kind = str(_field(message, "type") or _field(message, "role") or "user")
    kind = kind.removesuffix("MessageChunk").lower() if kind.endswith("MessageChunk") else kind
    role = str(_field(message, "role")) if kind in ("generic", "chat") else _ROLES.get(kind, kind)
    calls = tool_calls(_field(message, "tool_calls"))
    told: JsonObject = {
        "role": role,
        "content": _content(_field(message, "content"), has_calls=bool(calls)),
    }
    name, call_id = _field(message, "name"), _field(message, "tool_call_id")
    if isinstance(name, str) and name:
        told["name"] = name
    if calls:
        told["toolCalls"] = [{**call, "id": ids(call.get("id"))} for call in calls]
    if isinstance(call_id, str):
        told["toolCallId"] = ids(call_id)
    return told


def _field(message: Any, name: str) -> Any:
    return message.get(name) if isinstance(message, dict) else getattr(message, name, None)


def tool_calls(calls: Any) -> list[JsonObject]:
    """Tool calls of a message, as it holds them."""
    told: list[JsonObject] = []
    for call in calls or ():
        one: JsonObject = {
            "name": str(call["name"]),
            "args": to_json(call.get("args") or {}).value,
        }
        if isinstance(call.get("id"), str):
            one["id"] = call["id"]
        told.append(one)
    return told


def _content(content: Any, *, has_calls: bool) -> JsonValue:
    value = to_json("" if content is None else content).value
    if not isinstance(value, list):
        return value
    blocks = [
        _block(block)
        for block in value
        if not (has_calls and isinstance(block, dict) and block.get("type") in _CALL_BLOCKS)
    ]
    if not blocks:
        return ""
    first = blocks[0]
    alone = len(blocks) == 1 and isinstance(first, dict) and first.get("type") == "text"
    return first["text"] if alone else blocks


def _block(block: JsonValue) -> JsonValue:
    is_text = isinstance(block, dict) and block.get("type") == "text"
    if is_text and isinstance(block.get("text"), str):
        return {"type": "text", "text": block["text"]}
    return block


def _tools(tools: JsonValue) -> list[JsonObject]:
    told: list[JsonObject] = []
    for tool in tools if isinstance(tools, list) else ():
        if not isinstance(tool, dict):
            continue
        inner = tool.get("functionDeclarations", tool.get("function_declarations"))
        told.extend(_tool(one) for one in (inner if isinstance(inner, list) else [tool]))
    return told


def _tool(tool: JsonObject) -> JsonObject:
    """OpenAI nests under `function`, Bedrock under `toolSpec`; the schema has four names."""
    spec = next(
        s for s in (tool.get("function"), tool.get("toolSpec"), tool) if isinstance(s, dict)
    )
    if not isinstance(spec.get("name"), str):
        return {"name": str(tool.get("type")), "provider": tool}
    names = ("parameters", "input_schema", "inputSchema", "schema")
    schema = next((spec[name] for name in names if spec.get(name) is not None), None)
    if isinstance(schema, dict) and isinstance(schema.get("json"), dict):
        schema = schema["json"]
    told: JsonObject = {"name": spec["name"]}
    if isinstance(spec.get("description"), str):
        told["description"] = spec["description"]
    if schema is not None:
        told["parameters"] = schema
    elif isinstance(tool.get("type"), str) and tool["type"] != "function":
        told["provider"] = tool
    return told


def model_response(message: Any, output: Any = None) -> JsonObject:
    """What a model answered; `output` is what the provider says of the call as a whole."""
    if isinstance(message, str):
        return {"content": message, "toolCalls": []}
    metadata = {**_object(output), **_object(_field(message, "response_metadata"))}
    extra = _object(_field(message, "additional_kwargs"))
    content = _field(message, "content")
    response: JsonObject = {
        "content": to_json("" if content is None else content).value,
        "toolCalls": tool_calls(_field(message, "tool_calls")),
    }
    optional = {
        "usage": _usage(_object(_field(message, "usage_metadata")), metadata),
        "finishReason": _reason(metadata),
        "id": _field(message, "id"),
        "extra": extra,
        "metadata": metadata,
    }
    response.update({name: value for name, value in optional.items() if value})
    return response


def _object(value: Any) -> JsonObject:
    converted = to_json(value).value
    return converted if isinstance(converted, dict) else {}


def _usage(given: JsonObject, metadata: JsonObject) -> JsonObject | None:
    named = (metadata.get(name) for name in ("tokenUsage", "token_usage", "usage"))
    counts = [given, *(count for count in named if isinstance(count, dict))]

    def count(*names: str) -> int | None:
        found = (usage.get(name) for usage in counts for name in names)
        return next((n for n in found if isinstance(n, int)), None)

    asked = count("input_tokens", "promptTokens", "prompt_tokens")
    answered = count("output_tokens", "completionTokens", "completion_tokens")
    if asked is None or answered is None:
        return None
    total = count("total_tokens", "totalTokens")
    both = asked + answered
    return {
        "inputTokens": asked,
        "outputTokens": answered,
        "totalTokens": both if total is None else total,
    }


def _reason(metadata: JsonObject) -> str | None:
    names = ("finish_reason", "finishReason", "stop_reason", "stopReason", "done_reason")
    return next((metadata[name] for name in names if isinstance(metadata.get(name), str)), None)
