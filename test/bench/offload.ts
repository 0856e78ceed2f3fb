/**
 * G11: what a pair of answers of 1 MB costs the thread that answers callers.
 *
 * Ours hands the sealed bytes of the one answer to the shadow process and gets the judgement back;
 * opening, parsing, comparing and sealing happen there. The base parses and compares both answers
 * where it is. CPU time of this thread, which has nothing else to do.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { JsonValue } from "../../core/json.ts";
import { compare } from "../../harness/compare/compare.ts";
import { loadConfig } from "../../harness/config.ts";
import { privacyOf, runPlace } from "../../harness/privacy/privacy.ts";
import { openShadowHost, type ShadowHost } from "../../harness/shadow-host.ts";
import type { OpenTrial } from "../../harness/store/trials.ts";
import { largeAnswer } from "./live-app.ts";
import { type Comparison, interleave, threadCpuUs } from "./measure.ts";

const ROUNDS = 9;
const WARM_UP_ROUNDS = 3;
const PAIRS = 10;
const LIMIT_MS = 60_000;

export async function offload(): Promise<Comparison[]> {
  await using stack = new AsyncDisposableStack();
  const dataDir = mkdtempSync(join(tmpdir(), "twintrack-bench-"));
  stack.defer(() => rmSync(dataDir, { recursive: true, force: true }));
  const file = fileURLToPath(new URL("live.config.ts", import.meta.url));
  const config = { ...(await loadConfig(file)), dataDir };
  const host = openShadowHost(config);
  stack.defer(() => host.close());
  const outcome = { status: "returned", value: largeAnswer("legacy") };
  const plain = Buffer.from(JSON.stringify({ input: {}, outcome, lossy: false, calls: [] }));
  const payload = privacyOf(config).vault.pack(plain, runPlace(TRIAL.id, "legacy"));
  const texts = [JSON.stringify(outcome.value), JSON.stringify(largeAnswer("candidate"))] as const;
  const cases = {
    ours: () => perPairMs(() => elsewhere(host, payload)),
    base: () => perPairMs(async () => here(...texts)),
    again: () => perPairMs(async () => here(...texts)),
  };
  await interleave(cases, WARM_UP_ROUNDS);
  const found = await interleave(cases, ROUNDS);
  return [
    {
      metric: "1 MB, CPU of the answering thread, ms per pair",
      base: { name: "parse and compare here", rounds: found.base, again: found.again },
      ours: { name: "bytes to the shadow process", rounds: found.ours },
      goal: { kind: "atMost", ratio: 0.2 },
    },
  ];
}

const TRIAL: Omit<OpenTrial, "payload"> = {
  ...{ id: "00000000-0000-4000-8000-000000000000.1", flow: "large", triggerId: "t" },
  ...{ stage: "shadow", authoritative: "legacy", source: "library", noiseWanted: false },
  receivedAt: "2026-01-01T00:00:00.000Z",
};

async function perPairMs(work: () => Promise<void>): Promise<number> {
  const startedUs = threadCpuUs();
  for (let n = 0; n < PAIRS; n++) await work();
  return (threadCpuUs() - startedUs) / 1_000 / PAIRS;
}

async function elsewhere(host: ShadowHost, payload: Uint8Array): Promise<void> {
  const { verdict, differences } = await host.judge({ ...TRIAL, payload }, LIMIT_MS);
  if (verdict !== "mismatch" || differences.length !== 1)
    throw new Error(`The pair is ${verdict} with ${differences.length} differences`);
}

function here(legacy: string, candidate: string): void {
  const { differences } = compare(
    JSON.parse(legacy) as JsonValue,
    JSON.parse(candidate) as JsonValue,
    [],
  );
  if (differences.length !== 1) throw new Error(`The pair has ${differences.length} differences`);
}
