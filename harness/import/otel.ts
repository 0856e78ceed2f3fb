/**
 * Spans of OpenTelemetry as OTLP JSON: one document, or one in each line as the collector's file
 * exporter writes them. Source: https://github.com/open-telemetry/semantic-conventions-genai
 *
 * The root of a trace is a trigger and its answer; `execute_tool` spans are calls, `chat` spans
 * questions. The names that OpenInference and Traceloop use for the same are read as well.
 */
import { isJsonObject, type JsonObject, type JsonValue } from "../../core/json.ts";
import { rounded } from "../../core/long-integer.ts";
import type { ModelCall, ModelMessage, ModelResponse } from "../../core/model.ts";
import {
  outcomeOf,
  type Recording,
  type Recordings,
  recordedCalls,
  recordedModelCall,
  type ToldCall,
  wholeness,
} from "../recording.ts";
import { documentsIn, fieldsOf, NOT_TOLD, parsed, type Told, textIn, valueIn } from "./parse.ts";

interface Span {
  trace: string;
  id: string;
  parent: string | undefined;
  name: string;
  startedAtMs: number;
  endedAtMs: number;
  attributes: JsonObject;
  error: { name: string; message: string } | undefined;
  /** The exporter dropped or cut something. */
  cut: boolean;
}

export function readOtel(text: string): Recordings {
  const { documents, problems } = documentsIn(text);
  const spans = documents.flatMap(spansIn);
  const found: Recordings = { recordings: [], problems };
  for (const [trace, all] of Map.groupBy(spans, (span) => span.trace)) {
    const item = `trace ${trace}`;
    const root = rootOf(all);
    const input = root ? told(root, INPUT) : NOT_TOLD;
    if (!root) found.problems.push({ item, problem: "its root span is not in the export" });
    else if (input.lossy)
      found.problems.push({
        item,
        problem: `its root span "${root.name}" does not tell its whole input`,
      });
    else found.recordings.push(recordingOf(item, root, input.value, all));
  }
  return found;
}

function spansIn(document: JsonValue): Span[] {
  if (Array.isArray(document)) return document.flatMap(spansIn);
  const resources = listOf(fieldsOf(document).resourceSpans);
  const scopes = resources.flatMap((resource) => listOf(fieldsOf(resource).scopeSpans));
  return scopes
    .flatMap((scope) => listOf(fieldsOf(scope).spans))
    .flatMap((span) => spanIn(fieldsOf(span)));
}

function spanIn(fields: JsonObject): Span[] {
  const [trace, id] = [textIn(fields.traceId), textIn(fields.spanId)];
  if (trace === undefined || id === undefined) return [];
  const attributes = attributesIn(fields.attributes);
  return [
    {
      trace,
      id,
      parent: textIn(fields.parentSpanId),
      name: textIn(fields.name) ?? "",
      startedAtMs: msOf(fields.startTimeUnixNano),
      endedAtMs: msOf(fields.endTimeUnixNano),
      attributes,
      error: errorIn(fields, attributes),
      cut: Number(fields.droppedAttributesCount ?? 0) > 0,
    },
  ];
}

function msOf(nanoseconds: JsonValue | undefined): number {
  return Number(rounded(nanoseconds ?? 0)) / 1e6;
}

function integerIn(told: JsonValue): JsonValue {
  return typeof told === "string" ? (parsed(told) ?? Number(told)) : told;
}

function attributesIn(list: JsonValue | undefined): JsonObject {
  const entries = listOf(list).map((one): [string, JsonValue] => {
    const { key, value } = fieldsOf(one);
    return [String(key), anyValue(fieldsOf(value))];
  });
  return Object.fromEntries(entries);
}

/** OTLP's AnyValue. Whole numbers travel as texts. */
function anyValue(value: JsonObject): JsonValue {
  if (value.intValue !== undefined) return integerIn(value.intValue);
  if (value.arrayValue !== undefined)
    return listOf(fieldsOf(value.arrayValue).values).map((one) => anyValue(fieldsOf(one)));
  if (value.kvlistValue !== undefined) return attributesIn(fieldsOf(value.kvlistValue).values);
  return value.stringValue ?? value.boolValue ?? value.doubleValue ?? null;
}

function errorIn(fields: JsonObject, attributes: JsonObject): Span["error"] {
  const { code, message } = fieldsOf(fields.status);
  if (code !== 2 && code !== "STATUS_CODE_ERROR") return undefined;
  const raised = listOf(fields.events)
    .map((event) => attributesIn(fieldsOf(event).attributes))
    .find((event) => event["exception.type"] !== undefined);
  return {
    name: textIn(raised?.["exception.type"]) ?? textIn(attributes["error.type"]) ?? "Error",
    message: textIn(raised?.["exception.message"]) ?? textIn(message) ?? "",
  };
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

/** The span without a parent in the trace; of several, for example below one HTTP request, none. */
function rootOf(spans: readonly Span[]): Span | undefined {
  const ids = new Set(spans.map(({ id }) => id));
  const roots = spans.filter(({ parent }) => parent === undefined || !ids.has(parent));
  const [root, ...others] =
    roots.filter(({ parent }) => parent === undefined).length === 1
      ? roots.filter(({ parent }) => parent === undefined)
      : roots;
  if (!root || others.length > 0) return undefined;
  if (!told(root, INPUT).lossy) return root;
  // A server's own span knows nothing of the chain below it.
  const inner = spans.filter(
    ({ parent, attributes }) => parent === root.id && kindOf(attributes) === "chain",
  );
  return inner.length === 1 ? inner[0] : root;
}

const INPUT = ["gen_ai.input.messages", "input.value", "traceloop.entity.input"];
const OUTPUT = ["gen_ai.output.messages", "output.value", "traceloop.entity.output"];
const TOOL_ARGS = ["gen_ai.tool.call.arguments", "input.value", "traceloop.entity.input"];
const TOOL_RESULT = ["gen_ai.tool.call.result", "output.value", "traceloop.entity.output"];

type Kind = "tool" | "model" | "chain" | undefined;

const KINDS: Record<string, Kind> = {
  execute_tool: "tool",
  tool: "tool",
  chat: "model",
  generate_content: "model",
  text_completion: "model",
  llm: "model",
  invoke_agent: "chain",
  invoke_workflow: "chain",
  chain: "chain",
  agent: "chain",
  workflow: "chain",
};

function kindOf(attributes: JsonObject): Kind {
  const names = [
    "gen_ai.operation.name",
    "openinference.span.kind",
    "traceloop.span.kind",
    "llm.request.type",
  ];
  const name = names.map((key) => textIn(attributes[key])).find((value) => value !== undefined);
  return KINDS[name?.toLowerCase() ?? ""];
}

/** The first of these attributes that there is. */
function told({ attributes, cut }: Span, keys: readonly string[]): Told {
  const key = keys.find((one) => attributes[one] !== undefined);
  if (key === undefined) return NOT_TOLD;
  const { value, lossy } = valueIn(attributes[key]);
  // Traceloop's LangChain callback wraps what it was given.
  const inner =
    key.startsWith("traceloop.") && isJsonObject(value)
      ? (value.inputs ?? value.outputs)
      : undefined;
  return { value: inner ?? value, lossy: lossy || cut };
}

function recordingOf(item: string, root: Span, input: JsonValue, all: readonly Span[]): Recording {
  const output = told(root, OUTPUT);
  const below = belowOf(root, all);
  return {
    item,
    triggerId: root.trace,
    receivedAt: new Date(root.startedAtMs).toISOString(),
    payload: {
      input,
      outcome: outcomeOf(output.value, root.error),
      ...wholeness(root.error !== undefined || !output.lossy),
      calls: recordedCalls(
        below
          .filter(({ attributes }) => kindOf(attributes) === "tool")
          .map((span) => toolCall(span, root)),
      ),
      modelCalls: below.filter(({ attributes }) => kindOf(attributes) === "model").map(modelCall),
    },
  };
}

/** In the order in which they began, without what ran inside a tool. */
function belowOf(root: Span, all: readonly Span[]): Span[] {
  const known = new Map(all.map((span) => [span.id, span]));
  const isBelow = (span: Span): boolean => {
    for (let at = known.get(span.parent ?? ""); at; at = known.get(at.parent ?? "")) {
      if (at.id === root.id) return true;
      if (kindOf(at.attributes) === "tool") return false;
    }
    return false;
  };
  return all.filter(isBelow).sort((left, right) => left.startedAtMs - right.startedAtMs);
}

function toolCall(span: Span, root: Span): ToldCall {
  const args = told(span, TOOL_ARGS);
  const result = told(span, TOOL_RESULT);
  const names = ["gen_ai.tool.name", "tool.name", "traceloop.entity.name"];
  const name = names.map((key) => textIn(span.attributes[key])).find((one) => one !== undefined);
  return {
    tool: name ?? span.name.replace(/^execute_tool /, ""),
    args: args.value,
    outcome: outcomeOf(result.value, span.error),
    lossy: args.lossy || (span.error === undefined && result.lossy),
    startedAtMs: Math.max(0, span.startedAtMs - root.startedAtMs),
    durationMs: Math.max(0, span.endedAtMs - span.startedAtMs),
  };
}

function modelCall(span: Span): ModelCall {
  const asked = told(span, INPUT);
  const answered = told(span, OUTPUT);
  const system = valueIn(span.attributes["gen_ai.system_instructions"]);
  const request = {
    model:
      textIn(span.attributes["gen_ai.request.model"]) ??
      textIn(span.attributes["llm.model_name"]) ??
      "",
    messages: [
      ...(system.lossy ? [] : [{ role: "system", content: textOf(system.value) }]),
      ...listOf(asked.value).map(messageOf),
    ],
    tools: [],
    params: {},
  };
  const outcome = outcomeOf(responseOf(answered.value) as unknown as JsonValue, span.error);
  const isWhole = request.messages.length > 0 && !asked.lossy && (span.error || !answered.lossy);
  return recordedModelCall(request, outcome, !isWhole);
}

function messageOf(told: JsonValue): ModelMessage {
  const { role, parts, content } = fieldsOf(told);
  const calls = callsIn(parts);
  return {
    role: textIn(role) ?? "user",
    content: parts === undefined ? (content ?? "") : textOf(parts),
    ...(calls.length > 0 ? { toolCalls: calls } : {}),
  };
}

function responseOf(value: JsonValue): ModelResponse {
  const [first] = listOf(value);
  const { content, toolCalls = [] } = messageOf(first ?? {});
  return { content, toolCalls };
}

function callsIn(parts: JsonValue | undefined) {
  return listOf(parts)
    .map(fieldsOf)
    .filter(({ type }) => type === "tool_call")
    .map(({ id, name, arguments: args }) => ({
      ...(typeof id === "string" ? { id } : {}),
      name: textIn(name) ?? "",
      args: valueIn(args).value,
    }));
}

/** The text of a message's parts. */
function textOf(parts: JsonValue): string {
  return listOf(parts)
    .map((part) => textIn(fieldsOf(part).content) ?? "")
    .join("");
}
