/**
 * One run of a legacy chain as somebody recorded it: in the store, in a file, in another tool's export.
 *
 * A recording need not be whole. What is missing is marked lossy, and what is lossy is never taken
 * for equal.
 */
import { z } from "zod";
import { isTwintrackError } from "../core/error.ts";
import type { JsonValue } from "../core/json.ts";
import { occurrenceCounter, type ToolCall } from "../core/ledger.ts";
import { parseLongIntegers } from "../core/long-integer.ts";
import type { ModelCall, ModelRequest } from "../core/model.ts";
import type { Outcome } from "../core/outcome.ts";
import { runConfigOf } from "../core/run-config.ts";
import type { FramePayload } from "./frame.ts";

export interface Recording {
  /** Where it comes from, unique in its source: `line 3`, `trace 4f1c…`. */
  item: string;
  triggerId: string;
  /** ISO 8601. */
  receivedAt: string;
  payload: FramePayload;
}

/** What could not be read, and goes without holding up the rest. */
export interface RecordingProblem {
  item: string;
  problem: string;
}

export interface Recordings {
  recordings: Recording[];
  problems: RecordingProblem[];
}

/** A tool call as exports tell it; what they do not tell is left out, and then it is lossy: partial. */
export interface ToldCall {
  tool: string;
  args: JsonValue;
  outcome: Outcome;
  lossy?: boolean | undefined;
  startedAtMs?: number | undefined;
  durationMs?: number | undefined;
}

/** In the order in which they were made. */
export function recordedCalls(told: readonly ToldCall[]): ToolCall[] {
  const count = occurrenceCounter();
  return told.map(({ tool, args, outcome, lossy, startedAtMs = 0, durationMs = 0 }) => ({
    tool,
    args,
    // The catalogue says what the tool does; until it is asked, the worst is assumed.
    effect: "write",
    occurrence: count(tool, args),
    outcome,
    ...(lossy ? { lossy, partial: true } : {}),
    startedAtMs,
    durationMs,
    served: "live",
  }));
}

const json = z.custom<JsonValue>((value) => value !== undefined, "is missing");
const failure = z.union([
  z.string().transform((message) => ({ name: "Error", message })),
  z.strictObject({ name: z.string().default("Error"), message: z.string() }),
]);

const line = z
  .strictObject({
    input: json,
    config: z.unknown().optional(),
    triggerId: z.string().min(1).optional(),
    receivedAt: z.iso.datetime({ offset: true }).optional(),
    output: json.optional(),
    error: failure.optional(),
    calls: z
      .array(
        z.strictObject({
          tool: z.string().min(1),
          args: json,
          result: json.optional(),
          error: failure.optional(),
          lossy: z.boolean().optional(),
          durationMs: z.number().nonnegative().optional(),
        }),
      )
      .default([]),
    modelCalls: z
      .array(
        z.strictObject({ request: json, response: json.optional(), error: failure.optional() }),
      )
      .default([]),
  })
  .refine(({ output, error }) => output === undefined || error === undefined, {
    message: "has both output and error",
  });

/** A file of one recording in each line. A wrong line is named, and the others go on. */
export function readLines(text: string): Recordings {
  const found: Recordings = { recordings: [], problems: [] };
  text.split("\n").forEach((source, index) => {
    if (source.trim() === "") return;
    const item = `line ${index + 1}`;
    try {
      found.recordings.push(fromLine(item, line.parse(parseLongIntegers(source))));
    } catch (error) {
      found.problems.push({ item, problem: problemOf(error) });
    }
  });
  return found;
}

function problemOf(error: unknown): string {
  if (isTwintrackError(error)) return error.message;
  if (!(error instanceof z.ZodError)) return `is no JSON: ${(error as Error).message}`;
  const [issue] = error.issues;
  return `${issue?.path.join(".") || "(root)"} ${issue?.message}`;
}

function fromLine(item: string, told: z.infer<typeof line>): Recording {
  const config = runConfigOf(told.config);
  const { input, triggerId = item, receivedAt = new Date(0).toISOString(), calls } = told;
  const isTold = told.output !== undefined || told.error !== undefined;
  return {
    item,
    triggerId,
    receivedAt,
    payload: {
      input,
      ...(config && { config }),
      outcome: outcomeOf(told.output, told.error),
      ...wholeness(isTold),
      calls: recordedCalls(
        calls.map(({ result, error, lossy, ...call }) => ({
          ...call,
          outcome: outcomeOf(result, error),
          lossy: lossy === true || (result === undefined && error === undefined),
        })),
      ),
      modelCalls: told.modelCalls.map(({ request, response, error }) =>
        recordedModelCall(
          request as unknown as ModelRequest,
          outcomeOf(response, error),
          response === undefined && !error,
        ),
      ),
    },
  };
}

/** Of an answer: what was not told is compared with nothing. */
export function wholeness(isWhole: boolean): Pick<FramePayload, "lossy" | "partial"> {
  return isWhole ? { lossy: false } : { lossy: true, partial: true };
}

export function outcomeOf(
  value: JsonValue | undefined,
  error: { name: string; message: string } | undefined,
): Outcome {
  return error ? { status: "threw", error } : { status: "returned", value: value ?? null };
}

export function recordedModelCall(
  request: ModelRequest,
  outcome: Outcome,
  lossy: boolean,
): ModelCall {
  const timing = { startedAtMs: 0, durationMs: 0, served: "live" as const };
  return { request, outcome, ...(lossy ? { lossy } : {}), ...timing };
}
