/**
 * The live path: validate, run the side that the stage names, append one frame, answer.
 *
 * Nothing else is on it. Whatever the spool, the store or the other side do, the caller gets the
 * authoritative side's outcome, unchanged and at once.
 */
import { TwintrackError } from "../core/error.ts";
import { canonicalText, digest, type JsonValue, toJson } from "../core/json.ts";
import type { Ledger } from "../core/ledger.ts";
import type { Outcome } from "../core/outcome.ts";
import { type GivenRunConfig, runConfigOf } from "../core/run-config.ts";
import { validateJson } from "../core/schema.ts";
import type { Sent, Side, Trigger, TriggerSource } from "../core/trigger.ts";
import { type RunWishes, runSide, sideOf } from "./authoritative.ts";
import type { Backlog } from "./backlog.ts";
import { encodeFrame, type FrameHeader, type FramePayload, trialIdOf } from "./frame.ts";
import { plan } from "./plan.ts";
import type { Privacy } from "./privacy/privacy.ts";
import { subjectIn } from "./privacy/subject.ts";
import { inputSchema, type Sides } from "./side.ts";
import type { Spool } from "./spool.ts";
import type { StageBook } from "./stage.ts";

/** Answers kept for callers that repeat an idempotency key. */
const REMEMBERED_TRIGGERS = 10_000;

export interface RunRequest extends RunWishes {
  /** The caller's idempotency key. Default: a new id. */
  triggerId?: string;
  source?: TriggerSource;
  /** LangChain's run configuration, for the chain, the flow's functions and its tools. */
  config?: GivenRunConfig;
}

export interface Answer {
  trialId: string;
  triggerId: string;
  side: Side;
  outcome: Outcome;
  durationMs: number;
}

export interface Live {
  /**
   * Runs a flow for one trigger. What the authoritative side does, a throw included, is the outcome.
   *
   * @throws {TwintrackError} `FLOW_UNKNOWN`, `REQUEST_INVALID`, `INPUT_INVALID`, `TRIGGER_CONFLICT`,
   *   `SIDE_MISSING`: the trigger was refused before any side ran, and is not a trial.
   */
  answer(flow: string, input: unknown, request?: RunRequest): Promise<Answer>;
  /** Triggers answered, and refused at the door, since the start. */
  counts(): { answered: number; refused: number };
}

export interface LiveOptions {
  sides: Sides;
  stages: StageBook;
  spool: Spool;
  backlog: Backlog;
  ledger: Ledger;
  privacy: Privacy;
  epoch: string;
}

interface LiveContext extends LiveOptions {
  nextSeq(): number;
}

export function openLive(options: LiveOptions): Live {
  const counts = { answered: 0, refused: 0 };
  const context: LiveContext = { ...options, nextSeq: () => ++counts.answered };
  const remembered = new Map<string, { sentDigest: string; answer: Promise<Answer> }>();
  const answerOnce = async (flow: string, sent: Sent, request: RunRequest): Promise<Answer> => {
    if (request.triggerId === undefined) return answerTrigger(context, flow, sent, request);
    const key = digest(flow, request.triggerId);
    const sentDigest = digestOf(sent);
    const earlier = remembered.get(key);
    if (earlier && earlier.sentDigest !== sentDigest) throw conflict(flow, request.triggerId);
    if (earlier) return earlier.answer;
    const answer = answerTrigger(context, flow, sent, request);
    remember(remembered, key, { sentDigest, answer });
    return answer;
  };
  return {
    counts: () => ({ ...counts }),
    async answer(flow, input, request = {}) {
      try {
        const config = runConfigOf(request.config);
        const plain = toJson(input).value;
        return await answerOnce(
          flow,
          config ? { input: plain, config } : { input: plain },
          request,
        );
      } catch (error) {
        counts.refused++;
        throw error;
      }
    },
  };
}

function digestOf({ input, config }: Sent): string {
  const text = canonicalText(input);
  return config ? digest(text, canonicalText(config)) : digest(text);
}

function remember<T extends { answer: Promise<Answer> }>(
  remembered: Map<string, T>,
  key: string,
  entry: T,
): void {
  remembered.set(key, entry);
  entry.answer.catch(() => remembered.delete(key)); // Refused at the door: the corrected one is welcome.
  const oldest = remembered.keys().next();
  if (remembered.size > REMEMBERED_TRIGGERS && !oldest.done) remembered.delete(oldest.value);
}

function conflict(flow: string, triggerId: string): TwintrackError {
  return new TwintrackError(
    "TRIGGER_CONFLICT",
    `Trigger "${triggerId}" of flow "${flow}" came before with another input or config`,
    {
      hint: "Send a new Idempotency-Key with a new input or config.",
    },
  );
}

async function answerTrigger(
  context: LiveContext,
  flow: string,
  sent: Sent,
  request: RunRequest,
): Promise<Answer> {
  const { sides, stages, privacy } = context;
  const config = sides.configOf(flow);
  const trigger: Trigger = {
    id: request.triggerId ?? crypto.randomUUID(),
    flow,
    ...sent,
    source: request.source ?? "library",
    receivedAt: new Date().toISOString(),
  };
  const stage = stages.of(flow);
  const side = sideOf(stage, config, trigger);
  await checkInput(sides, flow, sent.input, side);
  const run = await runSide(context, config, trigger, side, request);
  // The number is given when the answer is there: a trigger that was not answered leaves no gap.
  const seq = context.nextSeq();
  const subject = subjectIn(flow, config, sent, privacy);
  const header: FrameHeader = {
    epoch: context.epoch,
    seq,
    flow,
    triggerId: request.triggerId === undefined ? trigger.id : privacy.mask.id(trigger.id),
    ...(subject === undefined ? {} : { subject }),
    source: trigger.source,
    receivedAt: trigger.receivedAt,
    stage: stage.stage,
    authoritative: side,
    status: run.outcome.status,
    durationMs: run.durationMs,
    ...plan(context, flow, config, { stage: stage.stage, side, outcome: run.outcome }),
  };
  const { outcome, lossy, calls, modelCalls, memory, history } = run;
  const payload: FramePayload = {
    ...sent,
    ...(header.triggerId === trigger.id ? {} : { triggerId: trigger.id }),
    outcome,
    lossy,
    calls,
    ...(modelCalls.length > 0 ? { modelCalls } : {}),
    // A conversation grows with each turn, and only a second run of it asks what it was.
    ...(memory && header.noiseWanted ? { memory } : {}),
    ...(history ? { history } : {}),
  };
  keep(context, header, payload);
  return {
    trialId: trialIdOf(header),
    triggerId: trigger.id,
    side,
    outcome: run.outcome,
    durationMs: run.durationMs,
  };
}

/** The answer is there: whatever keeps its record from being written must not take it back. */
function keep({ spool, privacy, epoch }: LiveContext, header: FrameHeader, payload: FramePayload) {
  const { seq } = header;
  try {
    spool.append(encodeFrame(header, payload, privacy.vault), seq);
  } catch {
    spool.giveUp(epoch, seq, seq, "unrecordable"); // A text of half a gigabyte has no JSON form.
  }
}

/** What legacy takes, it decides itself: the schema of a candidate must not refuse its callers. */
async function checkInput(sides: Sides, flow: string, input: JsonValue, side: Side): Promise<void> {
  const schema = side === "legacy" ? sides.configOf(flow).input : await inputSchema(sides, flow);
  if (schema) await validateJson(schema, input, `Input of flow "${flow}"`, "INPUT_INVALID");
}
