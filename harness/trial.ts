/**
 * Judges one trial: runs the side that did not answer, on the tools' record of the side that did,
 * compares, and measures noise when the trial was drawn for it. Runs in the shadow process.
 */

import type { Catalog } from "../adapter/catalog.ts";
import type { ChainRun } from "../adapter/chain.ts";
import { validateArgs } from "../adapter/contract.ts";
import { withAttempts } from "../adapter/egress.ts";
import type { Contract } from "../adapter/tool-server.ts";
import type { RunEvent } from "../core/history.ts";
import type { JsonValue } from "../core/json.ts";
import type { ToolCall } from "../core/ledger.ts";
import { type ModelCall, sharingOf } from "../core/model.ts";
import type { Outcome } from "../core/outcome.ts";
import { runFlow } from "../core/run.ts";
import type { Side } from "../core/trigger.ts";
import { compileRules } from "./compare/rules.ts";
import { DEFAULT_SHADOW_TIMEOUT_MS } from "./flow-config.ts";
import { decodePayload } from "./frame.ts";
import { isolatedTools, readsOf } from "./isolation.ts";
import { type Bar, type ComparedRun, judgeRuns, type RunsJudgement } from "./judgement.ts";
import { dailyBudget, isolatedModels } from "./model/isolation.ts";
import { withinBounds } from "./oversize.ts";
import { type Privacy, runPlace, tracePlace } from "./privacy/privacy.ts";
import { protectJudgement, protectTrial } from "./privacy/protect.ts";
import { flowHashOf, seenIn } from "./seen.ts";
import type { Sides } from "./side.ts";
import type { JudgedTrial } from "./store/judgements.ts";
import type { RunSide, StoredTrial } from "./store/stored-trials.ts";
import type { OpenTrial } from "./store/trials.ts";

/** One side's run, as it is compared and stored. */
interface SideRun extends ComparedRun, Partial<Pick<ChainRun, "modelCalls" | "models">> {
  /** Of a typed flow. */
  history?: RunEvent[];
  /** A tool whose record could not stand in for it: this run says nothing about its side. */
  unservable?: string | undefined;
  durationMs: number;
}

/** What is needed to judge the trials of one flow. */
interface Bench extends Bar {
  sides: Sides;
  catalog: Catalog;
  contracts: ReadonlyMap<string, Contract>;
}

/** Judges a trial. It rejects only when the trial cannot be read or a side cannot be opened. */
export async function judgeTrial(
  trial: OpenTrial,
  sides: Sides,
  privacy: Privacy,
): Promise<JudgedTrial> {
  const bench = await openBench(trial.flow, sides, privacy);
  const place = runPlace(trial.id, trial.authoritative);
  const payload = decodePayload(privacy.vault.open(trial.payload, place));
  const answered: SideRun = {
    outcome: payload.outcome,
    calls: trial.authoritative === "legacy" ? named(bench, payload.calls) : payload.calls,
    modelCalls: payload.modelCalls ?? [],
    ...(payload.history && { history: payload.history }),
    durationMs: 0,
  };
  const other: Side = trial.authoritative === "legacy" ? "candidate" : "legacy";
  const compared = await runOther(
    bench,
    other,
    { ...trial, triggerId: payload.triggerId ?? trial.triggerId },
    payload.input,
    answered,
  );
  const noise =
    trial.noiseWanted && trial.authoritative === "legacy"
      ? await runNoise(bench, payload.input, answered)
      : undefined;
  const [legacy, candidate] = other === "candidate" ? [answered, compared] : [compared, answered];
  const seen = await seenIn(sides, trial.flow, payload.input, { legacy, candidate });
  const result = { ...judged(bench, trial, other, answered, compared, noise), ...seen };
  return protectTrial(withinBounds(result), privacy);
}

type Trace = Partial<Record<RunSide, ToolCall[]>>;

interface StoredRun {
  outcome: Outcome;
  history?: RunEvent[];
  notKept?: true;
}

/**
 * Judges stored runs once more, by the rules and extractors of today; nothing runs. Null when what
 * was kept of the trial is too little: it stays as it was judged.
 */
export function rejudgeTrial(
  trial: StoredTrial,
  sides: Sides,
  privacy: Privacy,
): RunsJudgement | null {
  if (trial.trace === null && trial.differed) return null;
  // Without a difference no write differed, and reads are not compared: then no calls are needed.
  const { vault } = privacy;
  const open = (bytes: Uint8Array, place: string) => vault.open(bytes, place).toString("utf8");
  const trace: Trace =
    trial.trace === null ? {} : JSON.parse(open(trial.trace, tracePlace(trial.id)));
  const runs: Partial<Record<RunSide, ComparedRun>> = {};
  for (const { side, payload } of trial.runs) {
    const text = open(payload, runPlace(trial.id, side));
    const { outcome, history, notKept } = JSON.parse(text) as StoredRun;
    if (notKept) return null;
    runs[side] = { outcome, history, calls: trace[side] ?? [] };
  }
  const { legacy, candidate, noise } = runs;
  if (!legacy || !candidate) return null;
  const judgement = judgeRuns(barOf(trial.flow, sides, privacy), { legacy, candidate, noise });
  const kept = protectJudgement(trial.id, judgement, privacy);
  // Without the calls there is nothing new to say of how the answers came about.
  return trial.trace === null ? { ...kept, alignment: null } : kept;
}

async function openBench(flow: string, sides: Sides, privacy: Privacy): Promise<Bench> {
  const catalog = await sides.catalog();
  const entries = await catalog.entries();
  const contracts = new Map(entries.map((entry) => [entry.qualified, entry.contract]));
  return { ...barOf(flow, sides, privacy), sides, catalog, contracts };
}

/** By what the runs of a flow are judged: its extractors and its rules, as they are now. */
export function barOf(flow: string, sides: Sides, { mask }: Privacy): Bar {
  const config = sides.configOf(flow);
  return { flow, config, rules: compileRules(config.compare?.rules ?? [], new Date()).rules, mask };
}

/** Calls of a legacy chain under the catalogue's names, with arguments in the catalogue's canonical form. */
function named({ catalog }: Bench, calls: readonly ToolCall[]): ToolCall[] {
  return calls.map((call) => {
    const tool = catalog.qualify(call.tool);
    return {
      ...call,
      tool,
      args: catalog.canonicalArgs(tool, call.args),
      effect: catalog.effectOf(tool),
    };
  });
}

async function runOther(
  bench: Bench,
  other: Side,
  trial: OpenTrial,
  input: JsonValue,
  answered: SideRun,
): Promise<SideRun & { flowHash?: string }> {
  return other === "legacy"
    ? runLegacy(bench, input, answered)
    : runCandidate(bench, trial, input, answered);
}

async function runCandidate(
  bench: Bench,
  trial: OpenTrial,
  input: JsonValue,
  { calls, modelCalls = [] }: SideRun,
): Promise<SideRun & { flowHash: string }> {
  const { shadow = {} } = bench.config;
  const flow = await bench.sides.candidate(bench.flow);
  const limitMs = shadow.timeoutMs ?? DEFAULT_SHADOW_TIMEOUT_MS;
  const signal = AbortSignal.timeout(limitMs);
  const liveRead = shadow.reads === "live" ? readsOf(bench.catalog) : undefined;
  const tools = isolatedTools(bench.catalog, calls, liveRead);
  const models = isolatedModels(bench.sides.models, modelCalls, {
    unrecorded: shadow.models ?? "live",
    spend: () => spend(bench, 1),
  });
  const run = await withAttempts((): Promise<SideRun> => {
    const running = runFlow(flow, input, {
      tools,
      models,
      runId: `${trial.id}/candidate`,
      triggerId: trial.triggerId,
      signal,
    });
    return Promise.race([running, timedOut(signal, limitMs)]);
  });
  const sharing = sharingOf(run.modelCalls ?? []);
  return {
    ...run,
    ...(sharing && { models: sharing }),
    unservable: tools.unservable(),
    durationMs: run.durationMs + tools.servedMs() + models.servedMs(),
    flowHash: flow.hash,
  };
}

const DEFAULT_MODEL_CALLS = 1_000;
const budget = dailyBudget();

function spend({ flow, config }: Bench, questions: number): boolean {
  return budget(flow, config.shadow?.modelCallsPerDay ?? DEFAULT_MODEL_CALLS, questions);
}

/**
 * Legacy a second time. It will ask its models about as often as the first time, which the day's
 * budget has to hold beforehand; without that noise is not measured on this trial.
 */
async function runNoise(
  bench: Bench,
  input: JsonValue,
  answered: SideRun,
): Promise<SideRun | undefined> {
  const shares = bench.config.noise?.models === "shared";
  const expected = shares ? 0 : (answered.modelCalls?.length ?? 0);
  if (!spend(bench, expected)) return undefined;
  const models = shares ? answered.modelCalls : undefined;
  const run = await runLegacy(bench, input, answered, models);
  const asked = (run.modelCalls ?? []).filter(({ served }) => served === "live").length;
  for (let more = asked - expected; more > 0; more--) spend(bench, 1);
  return run;
}

/** A flow that ignores its signal is left behind; this process is replaced when it does not end. */
function timedOut(signal: AbortSignal, limitMs: number): Promise<SideRun> {
  const { promise, resolve } = Promise.withResolvers<SideRun>();
  const run: SideRun = {
    outcome: { status: "timed_out", afterMs: limitMs },
    calls: [],
    durationMs: limitMs,
  };
  // After the flow's own reaction to the signal, whose outcome would say more.
  signal.addEventListener("abort", () => setTimeout(resolve, 50, run), { once: true });
  return promise;
}

async function runLegacy(
  bench: Bench,
  input: JsonValue,
  { calls, modelCalls = [] }: SideRun,
  /** Answers to share; without them the run asks as `shadow.models` says. */
  shared?: readonly ModelCall[],
): Promise<SideRun> {
  const { shadow = {} } = bench.config;
  const models = shadow.models ?? "live";
  const legacy = await bench.sides.legacy(bench.flow);
  const run: ChainRun = await withAttempts(() =>
    legacy.invoke(input, {
      tools: {
        mode: "recorded",
        recording: calls.map((call) => ({
          ...call,
          tool: bench.catalog.originalName(call.tool),
        })),
        reads: shadow.reads ?? "recorded",
        // A shared answer hides what the model does by chance, which is noise to be measured, too.
        modelRecording: shared ?? (models === "recorded" ? modelCalls : []),
        models,
      },
      effects: bench.catalog.effectsByOriginalName(),
      timeoutMs: shadow.timeoutMs ?? DEFAULT_SHADOW_TIMEOUT_MS,
    }),
  );
  return { ...run, calls: named(bench, run.calls) };
}

function judged(
  bench: Bench,
  trial: OpenTrial,
  other: Side,
  answered: SideRun,
  compared: SideRun & { flowHash?: string },
  noise: SideRun | undefined,
): JudgedTrial {
  const [legacy, candidate] = other === "candidate" ? [answered, compared] : [compared, answered];
  return {
    id: trial.id,
    ...unlessUnservable(judgeRuns(bench, { legacy, candidate, noise }), compared.unservable),
    flowHash: compared.flowHash ?? flowHashOf(answered.history),
    contractViolations: violationsOf(bench, candidate.calls),
    runs: [storedRun(other, compared), ...(noise ? [storedRun("noise", noise)] : [])],
    legacyTools: [...new Set(legacy.calls.map((call) => call.tool))],
  };
}

/** A run that could not be served says nothing of its side. */
function unlessUnservable(judgement: RunsJudgement, unservable: string | undefined): RunsJudgement {
  return unservable === undefined
    ? judgement
    : { ...judgement, verdict: "incomparable", reason: `recording_lossy: ${unservable}` };
}

/** Calls of the candidate whose arguments break the tool's contract, whoever answered them. */
function violationsOf({ contracts }: Bench, calls: readonly ToolCall[]): number {
  return calls.filter(({ tool, args }) => {
    const contract = contracts.get(tool);
    return contract !== undefined && validateArgs(contract, args).length > 0;
  }).length;
}

function storedRun(
  side: "legacy" | "candidate" | "noise",
  run: SideRun,
): JudgedTrial["runs"][number] {
  const { outcome, history, modelCalls, models } = run;
  const payload = Buffer.from(JSON.stringify({ outcome, history, modelCalls, models }));
  return { side, status: run.outcome.status, durationMs: run.durationMs, payload };
}
