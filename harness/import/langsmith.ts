/**
 * Runs exported from LangSmith: an array, `{ runs }`, or one run in each line, as `list_runs` and the
 * bulk export give them. Source: https://docs.langchain.com/langsmith/run-data-format
 *
 * A root run is a trigger and its answer, the tool runs below it are its calls, the llm runs its
 * questions. Serialised LangChain objects (`{ lc, type: "constructor" }`) are data and stay data.
 */
import { modelRequest } from "../../adapter/model-request.ts";
import { modelResponse } from "../../adapter/model-response.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "../../core/json.ts";
import type { ModelCall, ModelResponse } from "../../core/model.ts";
import {
  outcomeOf,
  type Recording,
  type Recordings,
  recordedCalls,
  recordedModelCall,
  type ToldCall,
  wholeness,
} from "../recording.ts";
import {
  documentsIn,
  failureIn,
  fieldsOf,
  type Told,
  textIn,
  unwrapped,
  valueIn,
} from "./parse.ts";

interface Run {
  id: string;
  parent: string | undefined;
  trace: string;
  type: string;
  name: string;
  startedAt: number;
  endedAt: number;
  inputs: JsonObject;
  outputs: JsonObject | undefined;
  error: string | undefined;
  extra: JsonObject;
}

export function readLangSmith(text: string): Recordings {
  const { documents, problems } = documentsIn(text);
  const runs = documents.flatMap(runsIn);
  const known = new Map(runs.map((run) => [run.id, run]));
  const found: Recordings = { recordings: [], problems };
  for (const root of runs) {
    if (root.parent !== undefined && known.has(root.parent)) continue;
    const item = `run ${root.id}`;
    if (root.parent !== undefined)
      found.problems.push({ item, problem: `its parent ${root.parent} is not in the export` });
    else if (Object.keys(root.inputs).length === 0)
      found.problems.push({ item, problem: "its inputs are hidden or empty" });
    else found.recordings.push(recordingOf(item, root, descendants(root, runs, known)));
  }
  return found;
}

function runsIn(document: JsonValue): Run[] {
  const listed = Array.isArray(document) ? document : fieldsOf(document).runs;
  if (Array.isArray(listed)) return listed.flatMap(runsIn);
  if (!isJsonObject(document)) return [];
  const run = runIn(document);
  const children = Array.isArray(document.child_runs) ? document.child_runs.flatMap(runsIn) : [];
  return run ? [run, ...children] : children;
}

function runIn(fields: JsonObject): Run | undefined {
  const id = textIn(fields.id);
  if (id === undefined) return undefined;
  return {
    id,
    parent: textIn(fields.parent_run_id),
    trace: textIn(fields.trace_id) ?? id,
    type: textIn(fields.run_type) ?? "chain",
    name: textIn(fields.name) ?? "",
    startedAt: timeIn(fields.start_time),
    endedAt: timeIn(fields.end_time),
    inputs: recordIn(fields.inputs) ?? {},
    outputs: recordIn(fields.outputs),
    error: textIn(fields.error),
    extra: recordIn(fields.extra) ?? {},
  };
}

/** The bulk export writes records as JSON text. */
function recordIn(value: JsonValue | undefined): JsonObject | undefined {
  const { value: told } = valueIn(value);
  return isJsonObject(told) ? told : undefined;
}

/** LangSmith's instants are UTC and do not always say so. */
function timeIn(value: JsonValue | undefined): number {
  if (typeof value === "number") return value;
  const text = textIn(value) ?? "";
  const time = Date.parse(/Z|[+-]\d\d:?\d\d$/.test(text) ? text : `${text}Z`);
  return Number.isNaN(time) ? 0 : time;
}

/** All below a root, in the order in which they began, without what ran inside a tool. */
function descendants(root: Run, runs: readonly Run[], known: ReadonlyMap<string, Run>): Run[] {
  const isBelow = (run: Run): boolean => {
    for (let at = known.get(run.parent ?? ""); at; at = known.get(at.parent ?? "")) {
      if (at.id === root.id) return true;
      if (at.type === "tool") return false;
    }
    return false;
  };
  return runs.filter(isBelow).sort((left, right) => left.startedAt - right.startedAt);
}

function recordingOf(item: string, root: Run, below: readonly Run[]): Recording {
  const tools = below.filter(({ type }) => type === "tool");
  const models = below.filter(({ type }) => type === "llm");
  const output = root.outputs ? unwrapped(root.outputs, "output") : undefined;
  return {
    item,
    triggerId: root.trace,
    receivedAt: new Date(root.startedAt).toISOString(),
    payload: {
      input: root.inputs,
      outcome: outcomeOf(output, root.error === undefined ? undefined : failureIn(root.error)),
      ...wholeness(root.outputs !== undefined || root.error !== undefined),
      calls: recordedCalls(tools.map((run) => toolCall(run, root))),
      modelCalls: models.map(modelCall),
    },
  };
}

function toolCall(run: Run, root: Run): ToldCall {
  const args = argsOf(run);
  const result = resultOf(run);
  return {
    tool: run.name,
    args: args.value,
    outcome: outcomeOf(result.value, run.error === undefined ? undefined : failureIn(run.error)),
    lossy: args.lossy || (run.error === undefined && result.lossy),
    startedAtMs: Math.max(0, run.startedAt - root.startedAt),
    durationMs: Math.max(0, run.endedAt - run.startedAt),
  };
}

/** Tracers tell arguments as a record, or as `{ input }` with their text. */
function argsOf({ inputs }: Run): Told {
  if (Object.keys(inputs).length === 0) return { value: {}, lossy: true };
  return valueIn(unwrapped(inputs, "input"));
}

/** A tool message counts by its content, which is what the chain was told. */
function resultOf({ outputs }: Run): Told {
  if (!outputs) return { value: null, lossy: true };
  const output = unwrapped(outputs, "output");
  const message = isJsonObject(output) ? messageFields(output) : undefined;
  return message && "tool_call_id" in message ? valueIn(message.content) : valueIn(output);
}

/** The fields of a message in any of its written forms; nothing is constructed. */
function messageFields(message: JsonObject): JsonObject {
  const data = isJsonObject(message.kwargs) ? message.kwargs : fieldsOf(message.data);
  if (Object.keys(data).length === 0) return message;
  const name = Array.isArray(message.id) ? String(message.id.at(-1)) : "";
  const [, role = ""] = /^(\w+?)Message(?:Chunk)?$/.exec(name) ?? [];
  return {
    type: textIn(message.type === "constructor" ? role.toLowerCase() : message.type) ?? "",
    ...data,
  };
}

function modelCall(run: Run): ModelCall {
  const batches = run.inputs.messages ?? run.inputs.prompts;
  const batch = Array.isArray(batches) && Array.isArray(batches[0]) ? batches[0] : batches;
  const input = Array.isArray(batch) ? batch : [];
  const request = modelRequest({
    model: run.name,
    input: input.map((one) => (isJsonObject(one) ? messageFields(one) : one)),
    params: run.extra.invocation_params ?? {},
    options: run.extra.options ?? {},
  });
  const response = run.error === undefined ? responseOf(run.outputs) : undefined;
  const failure = run.error === undefined ? undefined : failureIn(run.error);
  const outcome = outcomeOf(response as unknown as JsonValue, failure);
  return recordedModelCall(request, outcome, input.length === 0 || (!response && !failure));
}

function responseOf(outputs: JsonObject | undefined): ModelResponse | undefined {
  const generations = outputs?.generations;
  const first = Array.isArray(generations) ? generations.flat()[0] : outputs;
  const generation = fieldsOf(first);
  const message = generation.message ?? generation.output;
  if (isJsonObject(message))
    return modelResponse(messageFields(message), outputs?.llm_output ?? {});
  const text = textIn(generation.text);
  return text === undefined ? undefined : modelResponse(text);
}
