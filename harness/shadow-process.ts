/**
 * The shadow process: gets open trials, gives back judged ones. It has no database and no way to
 * answer a caller; it may die at any time, and costs a verdict when it does.
 */
import { Worker } from "node:worker_threads";
import { guardEgress } from "../adapter/egress.ts";
import { serializeError } from "../core/outcome.ts";
import { loadConfig } from "./config.ts";
import type { RunsJudgement } from "./judgement.ts";
import { judgeOrLose } from "./lost-trial.ts";
import { type Privacy, privacyOf } from "./privacy/privacy.ts";
import { openSides, type Sides } from "./side.ts";
import type { JudgedTrial } from "./store/judgements.ts";
import type { StoredTrial } from "./store/stored-trials.ts";
import type { OpenTrial } from "./store/trials.ts";
import { rejudgeTrial } from "./trial.ts";

export type ToShadow =
  | { kind: "judge"; trial: OpenTrial }
  | { kind: "rejudge"; trial: StoredTrial };

export type FromShadow =
  | { kind: "ready" }
  | { kind: "failed"; error: { name: string; message: string; code?: string } }
  | { kind: "judged"; trial: JudgedTrial }
  | { kind: "rejudged"; id: string; judgement: RunsJudgement | null };

function send(message: FromShadow): void {
  process.send?.(message);
}

function startWatchdog(): void {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  new Worker(new URL(`./watchdog.${extension}`, import.meta.url)).unref();
}

async function main(configFile: string, dataDir: string): Promise<void> {
  startWatchdog();
  guardEgress();
  const config = { ...(await loadConfig(configFile)), dataDir };
  const sides = openSides(config);
  const privacy = privacyOf(config);
  process.on("message", (message: ToShadow) => {
    answer(message, sides, privacy)
      .then(send)
      .catch(() => process.exit(1)); // The channel is gone, and with it whoever asked.
  });
  process.on("disconnect", () => process.exit(0));
  send({ kind: "ready" });
}

async function answer(message: ToShadow, sides: Sides, privacy: Privacy): Promise<FromShadow> {
  if (message.kind === "rejudge") {
    const { trial } = message;
    return { kind: "rejudged", id: trial.id, judgement: rejudgeTrial(trial, sides, privacy) };
  }
  const trial = await judgeOrLose(message.trial, sides, privacy);
  return { kind: "judged", trial };
}

const [, , configFile, dataDir] = process.argv;
if (configFile === undefined || dataDir === undefined)
  throw new Error("shadow-process needs the paths of the config file and of the data folder");
main(configFile, dataDir).catch((thrown: unknown) => {
  send({ kind: "failed", error: serializeError(thrown) });
  process.exitCode = 1;
});
