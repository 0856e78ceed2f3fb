/**
 * The shadow process: gets open trials, gives back judged ones. It has no database and no way to
 * answer a caller; it may die at any time, and costs a verdict when it does.
 */
import { readdirSync } from "node:fs";
import { getHeapStatistics } from "node:v8";
import { Worker } from "node:worker_threads";
import { guardEgress } from "../adapter/egress.ts";
import { isTwintrackError } from "../core/error.ts";
import { serializeError } from "../core/outcome.ts";
import { loadConfig } from "./config.ts";
import { entryBeside } from "./entry.ts";
import type { RunsJudgement } from "./judgement.ts";
import { judgeOrLose } from "./lost-trial.ts";
import { yieldToAnswers } from "./priority.ts";
import { type Privacy, privacyOf } from "./privacy/privacy.ts";
import { openRealm } from "./realm.ts";
import { openSides, type Sides } from "./side.ts";
import type { JudgedTrial } from "./store/judgements.ts";
import type { StoredTrial } from "./store/stored-trials.ts";
import type { OpenTrial } from "./store/trials.ts";
import { openSurroundings } from "./surroundings.ts";
import { rejudgeTrial } from "./trial.ts";

export type ToShadow =
  | { kind: "judge"; trial: OpenTrial }
  | { kind: "rejudge"; trial: StoredTrial };

export type FromShadow =
  | { kind: "ready" }
  | { kind: "failed"; error: { name: string; message: string; code?: string } }
  /** `tired`: this process has had enough; the next trial is another one's. */
  | { kind: "judged"; trial: JudgedTrial; tired: boolean }
  | { kind: "rejudged"; id: string; judgement: RunsJudgement | null };

function send(message: FromShadow): void {
  process.send?.(message);
}

function startWatchdog(): void {
  new Worker(entryBeside(import.meta.url, "watchdog")).unref();
}

async function main(configFile: string, dataDir: string): Promise<void> {
  startWatchdog();
  yieldToAnswers();
  guardEgress();
  const config = { ...(await loadConfig(configFile)), dataDir };
  const sides = openSides(config);
  const privacy = privacyOf(config);
  acceptChanges();
  process.on("message", (message: ToShadow) => {
    answer(message, sides, privacy)
      .then(send)
      .catch(() => process.exit(1)); // The channel is gone, and with it whoever asked.
  });
  process.on("disconnect", () => process.exit(0));
  send({ kind: "ready" });
}

/** A process is replaced that has judged so many, or holds so many files or so much of its heap. */
const MOST_TRIALS = 1_000;
const MOST_DESCRIPTORS = 512;
const MOST_HEAP = 0.6;
/** But not for their number alone so soon: to start one takes the processor from those who answer. */
const LEAST_AGE_S = 60;

let trials = 0;
const realm = openRealm();
const surroundings = openSurroundings();
/** Trials under way, each with whether another was so at any time. */
const underWay = new Set<{ hadCompany: boolean }>();
/** Of each flow its code, with and without its legacy side. */
const loaded = new Map<string, Promise<void>>();

function load(trial: OpenTrial, sides: Sides): Promise<void> {
  const runsLegacy = trial.noiseWanted || trial.authoritative === "candidate";
  const key = `${trial.flow} ${runsLegacy}`;
  const loading = loaded.get(key) ?? loadOnce(trial.flow, runsLegacy, sides);
  loaded.set(key, loading);
  return loading;
}

async function loadOnce(flow: string, runsLegacy: boolean, sides: Sides): Promise<void> {
  endOver(firstChange()); // A run did it: the code is not loaded yet.
  const opening = [
    sides.catalog(),
    sides.candidate(flow),
    ...(runsLegacy ? [sides.legacy(flow)] : []),
  ];
  await Promise.allSettled(opening); // Whoever judges meets the failure.
  // A run may have done it as well as the code that was loaded.
  if (underWay.size > 0) endOver(firstChange());
  acceptChanges();
}

function acceptChanges(): void {
  realm.accept();
  surroundings.accept();
}

function isTired(): boolean {
  const isOld = ++trials >= MOST_TRIALS && process.uptime() >= LEAST_AGE_S;
  return isOld || openDescriptors() > MOST_DESCRIPTORS || heapShare() > MOST_HEAP;
}

function heapShare(): number {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  return used / limit;
}

function openDescriptors(): number {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return 0; // Only Linux tells.
  }
}

function firstChange(): string | undefined {
  return realm.changed() ?? surroundings.changed();
}

function endOver(changed: string | undefined): void {
  if (changed !== undefined) endWith(`a run changed ${changed}`);
}

/** Nobody knows which of the runs under way did it: all of them are lost, and tried again alone. */
function endWith(reason: string): never {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}

/** What a Python process ended of was done by one of those that ran in it. */
function endBeside(hadCompany: boolean, thrown: unknown): void {
  if (hadCompany && isTwintrackError(thrown) && thrown.code === "PYTHON_LOST")
    endWith(thrown.message);
}

async function accompanied<T>(
  work: (trial: { readonly hadCompany: boolean }) => Promise<T>,
): Promise<{ done: T; hadCompany: boolean }> {
  const trial = { hadCompany: underWay.size > 0 };
  for (const other of underWay) other.hadCompany = true;
  underWay.add(trial);
  try {
    return { done: await work(trial), hadCompany: trial.hadCompany };
  } finally {
    underWay.delete(trial);
  }
}

async function answer(message: ToShadow, sides: Sides, privacy: Privacy): Promise<FromShadow> {
  if (message.kind === "rejudge") {
    const { trial } = message;
    return { kind: "rejudged", id: trial.id, judgement: rejudgeTrial(trial, sides, privacy) };
  }
  await load(message.trial, sides);
  // What an earlier run left behind is not found by this one. Of a prototype it is enough to hear
  // afterwards: whoever ran with it is judged once more, elsewhere.
  endOver(surroundings.changed());
  const { done: trial, hadCompany } = await accompanied((self) =>
    judgeOrLose(message.trial, sides, privacy, (thrown) => endBeside(self.hadCompany, thrown)),
  );
  // Who was alone may leave surroundings behind: its verdict holds, the next trial is another process's.
  const left = surroundings.changed();
  endOver(realm.changed() ?? (hadCompany ? left : undefined));
  return { kind: "judged", trial, tired: isTired() || left !== undefined };
}

const [, , configFile, dataDir] = process.argv;
if (configFile === undefined || dataDir === undefined)
  throw new Error("shadow-process needs the paths of the config file and of the data folder");
main(configFile, dataDir).catch((thrown: unknown) => {
  send({ kind: "failed", error: serializeError(thrown) });
  process.exitCode = 1;
});
