/**
 * Judges one trial: runs the side that did not answer, on the tools' record of the side that did,
 * compares, and measures noise when the trial was drawn for it. Runs in the shadow process.
 */

import { validateArgs } from "../adapter/contract.ts";
import { isTwintrackError } from "../core/error.ts";
import type { RunEvent } from "../core/history.ts";
import type { ToolCall } from "../core/ledger.ts";
import { type ModelCall, type ModelVersion, versionsOf } from "../core/model.ts";
import type { Outcome } from "../core/outcome.ts";
import { costOf, spentUsd } from "../core/price.ts";
import type { Side } from "../core/trigger.ts";
import { compileRules } from "./compare/rules.ts";
import { decodePayload } from "./frame.ts";
import {
  type Bar,
  type ComparedRun,
  type Incomparable,
  judgeRuns,
  type RunsJudgement,
} from "./judgement.ts";
import { withinBounds } from "./oversize.ts";
import type { Mask } from "./privacy/mask.ts";
import { type Privacy, runPlace, tracePlace } from "./privacy/privacy.ts";
import { protectJudgement, protectTrial } from "./privacy/protect.ts";
import { flowHashOf, seenIn } from "./seen.ts";
import { type Bench, named, placed, runNoise, runOther, type SideRun } from "./shadow-run.ts";
import type { Sides } from "./side.ts";
import type { JudgedTrial } from "./store/judgements.ts";
import type { RunSide, StoredTrial } from "./store/stored-trials.ts";
import type { OpenTrial } from "./store/trials.ts";
import type { Usage } from "./store/usage-rows.ts";

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
    calls: (trial.authoritative === "legacy" ? named : placed)(bench, payload.calls),
    modelCalls: payload.modelCalls ?? [],
    ...(payload.memory && { memory: payload.memory }),
    ...(payload.history && { history: payload.history }),
    durationMs: 0,
  };
  const other: Side = trial.authoritative === "legacy" ? "candidate" : "legacy";
  const compared = await runOther(
    bench,
    other,
    { ...trial, triggerId: payload.triggerId ?? trial.triggerId },
    payload,
    answered,
  );
  const noise =
    trial.noiseWanted && trial.authoritative === "legacy"
      ? await runNoise(bench, trial, payload, answered)
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
  incomparable?: Incomparable;
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
  const { legacy, candidate, noise } = keptRuns(trial, privacy);
  if (!legacy || !candidate) return null;
  const judgement = judgeRuns(barOf(trial.flow, sides, privacy), { legacy, candidate, noise });
  const kept = protectJudgement(trial.id, judgement, privacy);
  // Without the calls there is nothing new to say of how the answers came about.
  return trial.trace === null ? { ...kept, alignment: null } : kept;
}

/** The runs that were kept whole and can be opened; none when one of them cannot. */
function keptRuns(trial: StoredTrial, { vault }: Privacy): Partial<Record<RunSide, ComparedRun>> {
  const read = <T>(bytes: Uint8Array, place: string) =>
    JSON.parse(vault.open(bytes, place).toString("utf8")) as T;
  const runs: Partial<Record<RunSide, ComparedRun>> = {};
  try {
    // Without a difference no write differed, and reads are not compared: then no calls are needed.
    const trace = trial.trace === null ? {} : read<Trace>(trial.trace, tracePlace(trial.id));
    for (const { side, payload } of trial.runs) {
      const { notKept, ...run } = read<StoredRun>(payload, runPlace(trial.id, side));
      if (notKept) return {};
      runs[side] = { ...run, calls: trace[side] ?? [] };
    }
    return runs;
  } catch (error) {
    if (isTwintrackError(error)) return {};
    throw error;
  }
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
    ...judgeRuns(bench, { legacy, candidate, noise }),
    flowHash: compared.flowHash ?? flowHashOf(answered.history),
    contractViolations: violationsOf(bench, candidate.calls),
    usage: usageOf(bench, { legacy, candidate }, [compared, ...(noise ? [noise] : [])]),
    runs: [storedRun(other, compared), ...(noise ? [storedRun("noise", noise)] : [])],
    legacyTools: [...new Set(legacy.calls.map((call) => call.tool))],
  };
}

/** @param beside the runs of the shadow: what they asked was asked for the comparison alone. */
function usageOf(
  { sides: { prices }, mask }: Bench,
  { legacy, candidate }: { legacy: SideRun; candidate: SideRun },
  beside: readonly SideRun[],
): Usage | undefined {
  const [ofLegacy, ofCandidate] = [legacy.modelCalls ?? [], candidate.modelCalls ?? []];
  if (ofLegacy.length + ofCandidate.length === 0) return undefined;
  const asked = beside.flatMap(({ modelCalls = [] }) => modelCalls);
  return {
    legacy: { ...costOf(ofLegacy, prices), models: versions(ofLegacy, mask) },
    candidate: { ...costOf(ofCandidate, prices), models: versions(ofCandidate, mask) },
    spentUsd: spentUsd(asked, prices),
  };
}

const MOST_VERSIONS = 20;
const LONGEST_NAME = 100;

/** A service may put anything where the name of its model is expected. */
function versions(calls: readonly ModelCall[], mask: Mask): ModelVersion[] {
  const shown = (name: string) => mask.text(name.slice(0, LONGEST_NAME));
  return versionsOf(calls)
    .slice(0, MOST_VERSIONS)
    .map(({ asked, answered }) => ({ asked: shown(asked), answered: shown(answered) }));
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
  const { outcome, history, modelCalls, models, incomparable } = run;
  const payload = Buffer.from(
    JSON.stringify({ outcome, history, modelCalls, models, incomparable }),
  );
  return { side, status: run.outcome.status, durationMs: run.durationMs, payload };
}
