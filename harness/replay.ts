/**
 * Runs recorded triggers against the candidate as it is now: stored trials, or recordings from a
 * file. Each is judged like a live trial, in a shadow process, with tools and models answered from
 * the record; the results go into books of their own.
 */
import { readFileSync } from "node:fs";
import { isTwintrackError, messageOf, TwintrackError } from "../core/error.ts";
import { digest } from "../core/json.ts";
import type { ResolvedConfig } from "./config.ts";
import { DEFAULT_SHADOW_TIMEOUT_MS } from "./flow-config.ts";
import { decodePayload, type FramePayload } from "./frame.ts";
import { readLangSmith } from "./import/langsmith.ts";
import { readOtel } from "./import/otel.ts";
import { lostTrial, reasonOf } from "./lost-trial.ts";
import { type Privacy, privacyOf, runPlace } from "./privacy/privacy.ts";
import { protectTrial } from "./privacy/protect.ts";
import { type Recordings, readLines } from "./recording.ts";
import { openShadowHost, type ShadowHost } from "./shadow-host.ts";
import { inputSchema, type Sides } from "./side.ts";
import type { Database } from "./store/database.ts";
import type { JudgedTrial } from "./store/judgements.ts";
import {
  countReplayable,
  doneItems,
  endReplay,
  keepResults,
  nextTrials,
  type Replay,
  type ReplayFormat,
  type ReplayResult,
  type ReplaySource,
  type ReplayTrial,
} from "./store/replays.ts";
import { fitting } from "./tap.ts";

/** Who starts a replay looks on, and may end it. */
export interface Watch {
  onProgress(done: number, total: number): void;
  /** Ends what is under way as well. */
  signal: AbortSignal;
  /** Nothing new is begun after so long; what is under way is finished. */
  sliceMs?: number;
}

export interface Replayed {
  total: number;
  done: number;
  /** Trials that the candidate answered: they hold no calls of legacy. */
  skipped: number;
  problems: Recordings["problems"];
  complete: boolean;
}

const PAGE = 40;
const CONCURRENT = 4;
/** Start of Python and the compare itself, on top of the side's own limit. */
const GRACE_MS = 5_000;

export async function runReplay(
  db: Database,
  config: ResolvedConfig,
  sides: Sides,
  replay: Replay,
  watch: Watch,
): Promise<Replayed> {
  const host = openShadowHost(config);
  const stop = () => void host.stop();
  watch.signal.addEventListener("abort", stop, { once: true });
  try {
    const startedAt = performance.now();
    const { signal, sliceMs = Number.POSITIVE_INFINITY } = watch;
    const isOver = () => signal.aborted || performance.now() - startedAt > sliceMs;
    const privacy = privacyOf(config);
    const bench = { db, config, sides, replay, watch, isOver, host, privacy };
    const replayed =
      replay.source.kind === "stored"
        ? await replayStored(bench, replay.source)
        : await replayFile(bench, replay.source);
    if (replayed.complete) await endReplay(db, replay.id);
    return replayed;
  } finally {
    watch.signal.removeEventListener("abort", stop);
    await host.close();
  }
}

interface Bench {
  db: Database;
  config: ResolvedConfig;
  sides: Sides;
  replay: Replay;
  watch: Watch;
  isOver(): boolean;
  host: ShadowHost;
  privacy: Privacy;
}

async function replayStored(
  bench: Bench,
  source: Extract<ReplaySource, { kind: "stored" }>,
): Promise<Replayed> {
  const { db, replay, watch } = bench;
  const { total, skipped } = await countReplayable(db, replay.flow, source);
  let done = (await doneItems(db, replay.id)).size;
  const onDone = () => watch.onProgress(++done, total);
  watch.onProgress(done, total);
  while (!bench.isOver()) {
    const page = await nextTrials(db, { ...replay, source }, PAGE);
    if (page.length === 0) return { total, done, skipped, problems: [], complete: true };
    await replayPage(bench, page, onDone);
  }
  return { total, done, skipped, problems: [], complete: false };
}

async function replayFile(
  bench: Bench,
  source: Extract<ReplaySource, { kind: "file" }>,
): Promise<Replayed> {
  const { db, replay, watch, privacy } = bench;
  const { recordings, problems } = await fittingRecordings(bench, readSource(source));
  const known = await doneItems(db, replay.id);
  const left = recordings.filter(({ item }) => !known.has(item));
  const total = recordings.length;
  let done = total - left.length;
  const onDone = () => watch.onProgress(++done, total);
  watch.onProgress(done, total);
  for (let at = 0; at < left.length && !bench.isOver(); at += PAGE) {
    const page = left.slice(at, at + PAGE).map(({ item, triggerId, receivedAt, payload }) => {
      const bytes = Buffer.from(JSON.stringify({ ...payload, triggerId }));
      return {
        id: item,
        flow: replay.flow,
        triggerId: privacy.mask.text(triggerId),
        stage: "shadow",
        authoritative: "legacy",
        source: "replay",
        receivedAt,
        noiseWanted: false,
        payload: privacy.vault.seal(bytes, runPlace(item, "legacy")),
        liveVerdict: null,
      } satisfies ReplayTrial;
    });
    await replayPage(bench, page, onDone);
  }
  return { total, done, skipped: 0, problems, complete: done >= total };
}

/** What the candidate cannot be given is told, and not held against it. */
async function fittingRecordings(
  { sides, replay }: Bench,
  { recordings, problems }: Recordings,
): Promise<Recordings> {
  const schema = await inputSchema(sides, replay.flow);
  const fit: Recordings = { recordings: [], problems: [...problems] };
  for (const recording of recordings) {
    const { item, payload } = recording;
    const input = await fitting(schema, payload.input);
    if (input === undefined) fit.problems.push({ item, problem: "does not fit the flow's input" });
    else fit.recordings.push({ ...recording, payload: { ...payload, input } });
  }
  return fit;
}

/** What was judged is kept, also when the replay is ended on the way. */
async function replayPage(
  bench: Bench,
  page: readonly ReplayTrial[],
  onDone: () => void,
): Promise<void> {
  const { db, replay, watch } = bench;
  const results: ReplayResult[] = [];
  const suspects: ReplayTrial[] = [];
  const keep = (result: ReplayResult) => {
    results.push(result);
    onDone();
  };
  await eachOf(page, CONCURRENT, bench.isOver, async (trial) => {
    await replayed(bench, trial).then(keep, () => suspects.push(trial));
  });
  // Of several that were lost together nobody knows which one it was: each runs once more alone.
  await eachOf(suspects, 1, bench.isOver, async (trial) => {
    const lost = (error: unknown) => resultOf(bench, trial, lossOf(trial, error));
    const result = await replayed(bench, trial).catch(lost);
    if (!watch.signal.aborted) keep(result);
  });
  await keepResults(db, replay.id, results);
}

async function replayed(bench: Bench, trial: ReplayTrial): Promise<ReplayResult> {
  const { liveVerdict: _, ...open } = trial;
  const sideMs = bench.config.flows[trial.flow]?.shadow?.timeoutMs ?? DEFAULT_SHADOW_TIMEOUT_MS;
  return resultOf(bench, trial, await bench.host.judge(open, sideMs + GRACE_MS));
}

function lossOf(trial: ReplayTrial, error: unknown): JudgedTrial {
  const timedOut = isTwintrackError(error) && error.code === "TIMEOUT";
  return lostTrial(trial, timedOut ? "candidate_timeout" : "candidate_error", reasonOf(error));
}

function resultOf({ privacy }: Bench, trial: ReplayTrial, judged: JudgedTrial): ReplayResult {
  const { differences, divergences, reason } = protectTrial(
    { ...judged, runs: [], trace: null },
    privacy,
  );
  const open = new Set(
    differences
      .filter(({ compared, rule }) => compared === "candidate" && rule === null)
      .map(({ fingerprint }) => fingerprint),
  );
  const whole = wholeVerdict(privacy, trial, judged.verdict);
  return {
    item: trial.id,
    triggerId: trial.triggerId,
    verdict: whole.verdict,
    reason: whole.reason ?? reason,
    liveVerdict: trial.liveVerdict,
    divergences:
      whole.verdict === "incomparable"
        ? []
        : divergences
            .filter(({ fingerprint }) => open.has(fingerprint))
            .map(({ fingerprint, title }) => ({ fingerprint, title })),
  };
}

/** What was recorded in part proves neither that sides are equal nor that they differ. */
function wholeVerdict(privacy: Privacy, { id, payload }: ReplayTrial, verdict: string) {
  const recorded = payloadOf(privacy, id, payload);
  const cut = recorded?.calls.find(({ partial }) => partial);
  if (cut) return { verdict: "incomparable", reason: `recording_lossy: ${cut.tool}` };
  const compares = verdict === "match" || verdict === "mismatch" || verdict === "ignored";
  if (recorded?.partial && compares) {
    return { verdict: "incomparable", reason: "recording_lossy: the answer is not whole" };
  }
  return { verdict, reason: undefined };
}

/** Undefined for one that cannot be opened: the judge has said so already. */
function payloadOf({ vault }: Privacy, id: string, bytes: Uint8Array): FramePayload | undefined {
  try {
    return decodePayload(vault.open(bytes, runPlace(id, "legacy")));
  } catch {
    return undefined;
  }
}

async function eachOf<T>(
  items: readonly T[],
  concurrency: number,
  isOver: () => boolean,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    while (!isOver()) {
      const item = queue.shift();
      if (item === undefined) return;
      await work(item);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

const READERS: Record<ReplayFormat, (text: string) => Recordings> = {
  lines: readLines,
  langsmith: readLangSmith,
  otel: readOtel,
};

/** @throws {TwintrackError} `USAGE` for a file that cannot be read, or is another one than before. */
export function readSource(source: Extract<ReplaySource, { kind: "file" }>): Recordings {
  const text = textOf(source.file);
  if (digest(text) !== source.digest) {
    throw new TwintrackError("USAGE", `${source.file} has changed since the replay began`, {
      hint: "Replay it anew, without --resume.",
    });
  }
  return READERS[source.format](text);
}

export function fileSource(
  file: string,
  format: ReplayFormat,
): Extract<ReplaySource, { kind: "file" }> {
  return { kind: "file", file, format, digest: digest(textOf(file)) };
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new TwintrackError("USAGE", `${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
}
