/**
 * The shadow process: gets open trials, gives back judged ones. It has no database and no way to
 * answer a caller; it may die at any time, and costs a verdict when it does.
 */
import { Worker } from "node:worker_threads";
import { serializeError } from "../core/outcome.ts";
import { loadConfig } from "./config.ts";
import { lostTrial, reasonOf } from "./lost-trial.ts";
import { openSides } from "./side.ts";
import type { JudgedTrial } from "./store/judgements.ts";
import type { OpenTrial } from "./store/trials.ts";
import { judgeTrial } from "./trial.ts";

export type ToShadow = { kind: "judge"; trial: OpenTrial };

export type FromShadow =
  | { kind: "ready" }
  | { kind: "failed"; error: { name: string; message: string; code?: string } }
  | { kind: "judged"; trial: JudgedTrial };

function send(message: FromShadow): void {
  process.send?.(message);
}

function startWatchdog(): void {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  new Worker(new URL(`./watchdog.${extension}`, import.meta.url)).unref();
}

async function main(configFile: string): Promise<void> {
  startWatchdog();
  const sides = openSides(await loadConfig(configFile));
  process.on("message", (message: ToShadow) => {
    judgeTrial(message.trial, sides)
      .catch((thrown: unknown) => lostTrial(message.trial, "incomparable", reasonOf(thrown)))
      .then((trial) => send({ kind: "judged", trial }))
      .catch(() => process.exit(1)); // The channel is gone, and with it whoever asked.
  });
  process.on("disconnect", () => process.exit(0));
  send({ kind: "ready" });
}

const configFile = process.argv[2];
if (configFile === undefined) throw new Error("shadow-process needs the path of the config file");
main(configFile).catch((thrown: unknown) => {
  send({ kind: "failed", error: serializeError(thrown) });
  process.exitCode = 1;
});
