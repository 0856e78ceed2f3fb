/**
 * Takes what tracers saw in services that cannot be moved, and appends it where live answers go: the
 * same spool, books and shadow path follow. The service answered long ago; nobody waits here.
 */
import { z } from "zod";
import { TwintrackError } from "../core/error.ts";
import { digest, isJsonObject, type JsonValue } from "../core/json.ts";
import { occurrenceCounter, type ToolCall } from "../core/ledger.ts";
import type { ModelCall } from "../core/model.ts";
import { type Schema, validateJson } from "../core/schema.ts";
import { MAX_TAPPED_RUNS, type TapBatch, type TappedRun } from "../core/tap.ts";
import type { FlowConfig } from "./config.ts";
import { encodeFrame, type FrameHeader, type FramePayload } from "./frame.ts";
import { type Outlook, plan } from "./plan.ts";
import type { Privacy } from "./privacy/privacy.ts";
import { subjectIn } from "./privacy/subject.ts";
import { inputSchema, type Sides } from "./side.ts";
import type { Spool } from "./spool.ts";

/** Triggers remembered, so that two tracers around one chain do not make two trials of it. */
const REMEMBERED_TRIGGERS = 10_000;

export interface TapReply {
  accepted: number;
  /** Runs whose trigger another tracer told before; they are booked as gaps. */
  duplicates: number;
}

export interface Tap {
  /**
   * @throws {TwintrackError} `FLOW_UNKNOWN`, `SIDE_MISSING` for a flow without legacy, `REQUEST_INVALID`
   *   for a body of another shape: nothing of it was taken.
   */
  take(flow: string, body: unknown): Promise<TapReply>;
  counts(): { tapped: number };
}

export interface TapOptions extends Outlook {
  sides: Sides;
  spool: Spool;
  privacy: Privacy;
}

export function openTap({ sides, spool, privacy, ...outlook }: TapOptions): Tap {
  const counts = { tapped: 0 };
  const tellers = new Map<string, string>();
  /** False when another tracer, or another run of this one, has told this trigger. */
  const isFirst = (flow: string, epoch: string, { triggerId, seq }: TappedRun): boolean => {
    const key = digest(flow, triggerId);
    const teller = `${epoch}.${seq}`;
    const known = tellers.get(key);
    if (known !== undefined) return known === teller;
    tellers.set(key, teller);
    const oldest = tellers.keys().next();
    if (tellers.size > REMEMBERED_TRIGGERS && !oldest.done) tellers.delete(oldest.value);
    return true;
  };
  return {
    counts: () => ({ ...counts }),
    async take(flow, body) {
      const config = tappedFlow(sides, flow);
      const { epoch, runs, gaps } = batchIn(body);
      const schema = await inputSchema(sides, flow);
      const fresh = runs.filter((run) => isFirst(flow, epoch, run));
      for (const run of fresh) {
        const fitted = await fitting(schema, run.input);
        const triggerId = privacy.mask.id(run.triggerId);
        const told = { flow, epoch, run, triggerId, config, outlook };
        const header = headerOf({ ...told, fits: fitted !== undefined });
        const payload = payloadOf(run, fitted ?? run.input);
        const subject = subjectIn(flow, config, payload, privacy);
        if (subject !== undefined) header.subject = subject;
        if (triggerId !== run.triggerId) payload.triggerId = run.triggerId;
        spool.append(encodeFrame(header, payload, privacy.vault), run.seq, epoch);
      }
      const twice = runs.filter((run) => !fresh.includes(run));
      for (const { seq } of twice) spool.giveUp(epoch, seq, seq, "tapped_twice");
      for (const { fromSeq, toSeq, cause } of gaps) spool.giveUp(epoch, fromSeq, toSeq, cause);
      counts.tapped += fresh.length;
      return { accepted: fresh.length, duplicates: twice.length };
    },
  };
}

function tappedFlow(sides: Sides, flow: string): FlowConfig {
  const config = sides.configOf(flow);
  if (config.legacy !== undefined) return config;
  throw new TwintrackError("SIDE_MISSING", `Flow "${flow}" has no legacy to be tapped`, {
    hint: `Say flows.${flow}.legacy: "tap" in the configuration.`,
  });
}

const json = z.custom<JsonValue>((value) => value !== undefined, "is missing");
const name = z.string().min(1).max(1_000);
const ms = z.number().nonnegative();
const outcome = z.discriminatedUnion("status", [
  z.strictObject({ status: z.literal("returned"), value: json }),
  z.strictObject({
    status: z.literal("threw"),
    error: z.object({ name: z.string(), message: z.string(), code: z.string().optional() }),
  }),
  z.strictObject({ status: z.literal("timed_out"), afterMs: ms }),
]);
const timing = { startedAtMs: ms, durationMs: ms };
const seq = z.number().int().positive().max(Number.MAX_SAFE_INTEGER);
const floats = z.array(z.string()).optional();

const tappedRun = z.strictObject({
  seq,
  triggerId: name,
  receivedAt: z.iso.datetime({ offset: true }),
  input: json,
  outcome,
  lossy: z.boolean().optional(),
  calls: z.array(
    z.strictObject({
      tool: name,
      args: json,
      outcome,
      lossy: z.boolean().optional(),
      partial: z.boolean().optional(),
      floats,
      ...timing,
    }),
  ),
  modelCalls: z.array(
    z.strictObject({
      request: z.strictObject({
        model: z.string(),
        messages: z.array(z.looseObject({ role: z.string(), content: json })),
        tools: z.array(z.looseObject({ name: z.string() })),
        params: z.record(z.string(), json),
      }),
      outcome,
      lossy: z.boolean().optional(),
      streamed: z.boolean().optional(),
      insideTool: z.string().optional(),
      ...timing,
    }),
  ),
  durationMs: ms,
});

const gap = z
  .strictObject({ fromSeq: seq, toSeq: seq, cause: z.string().regex(/^[a-z_]{1,40}$/) })
  .refine(({ fromSeq, toSeq }) => fromSeq <= toSeq, "fromSeq is after toSeq");

const tapBatch = z.strictObject({
  epoch: z.uuid(),
  runs: z.array(tappedRun).max(MAX_TAPPED_RUNS),
  gaps: z.array(gap).max(1_000),
});

function batchIn(body: unknown): TapBatch {
  const checked = tapBatch.safeParse(body);
  if (checked.success) return checked.data as unknown as TapBatch;
  const [issue] = checked.error.issues;
  const place = issue?.path.join(".") || "the body";
  throw new TwintrackError(
    "REQUEST_INVALID",
    `What was tapped is wrong at ${place}: ${issue?.message}`,
    {
      hint: "Use TwintrackTracer of the same version as this server.",
    },
  );
}

/**
 * The input as the flow's schema takes it, or undefined. LangChain's JavaScript callbacks tell an
 * input that is no record as `{ input }`: only the schema can know which of the two was meant.
 */
export async function fitting(
  schema: Schema | undefined,
  input: JsonValue,
): Promise<JsonValue | undefined> {
  if (!schema) return input;
  const inner = isJsonObject(input) && Object.keys(input).length === 1 ? input.input : undefined;
  for (const candidate of inner === undefined ? [input] : [input, inner]) {
    const fits = await validateJson(schema, candidate, "The input", "INPUT_INVALID").then(
      () => true,
      () => false,
    );
    if (fits) return candidate;
  }
  return undefined;
}

interface Told {
  flow: string;
  epoch: string;
  run: TappedRun;
  /** Masked. */
  triggerId: string;
  config: FlowConfig;
  outlook: Outlook;
  /** The candidate can be given this input. */
  fits: boolean;
}

function headerOf({ flow, epoch, run, triggerId, config, outlook, fits }: Told): FrameHeader {
  const { stage } = outlook.stages.of(flow);
  const planned = plan(outlook, flow, config, { stage, side: "legacy", outcome: run.outcome });
  return {
    epoch,
    seq: run.seq,
    flow,
    triggerId,
    source: "tap",
    receivedAt: new Date(run.receivedAt).toISOString(),
    stage,
    authoritative: "legacy",
    status: run.outcome.status,
    durationMs: run.durationMs,
    ...(fits || planned.notRun ? planned : { noiseWanted: false, notRun: "input_invalid" }),
  };
}

/** Effects are told apart off this path, as for live answers. */
function payloadOf(run: TappedRun, input: JsonValue): FramePayload {
  const nth = occurrenceCounter();
  const calls = run.calls.map(
    (call): ToolCall => ({
      ...call,
      effect: "write",
      occurrence: nth(call.tool, call.args),
      served: "live",
    }),
  );
  const modelCalls = run.modelCalls.map(
    (call): ModelCall => ({
      ...call,
      served: "live",
    }),
  );
  const { outcome: answer, lossy = false } = run;
  return { input, outcome: answer, lossy, calls, ...(modelCalls.length > 0 ? { modelCalls } : {}) };
}
